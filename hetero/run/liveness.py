"""Which slots an instruction reads and writes, and where a value is used for the last time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set

from hetero.run.program import Arrive, Branch, Call, Free, Instruction, Map, Move, Recv, Send, Slot, slots_of

__all__ = ["reads", "with_frees", "writes"]


def reads(instruction: Instruction) -> Iterator[Slot]:
    """The slots that an instruction takes values from."""
    match instruction:
        case Call(args=args):
            trees = args
        case Map(items=items, closure=closure):
            trees = (items, *closure)
        case Branch(test=test, closure=closure):
            trees = (test, *closure)
        case Move(source=slot) | Arrive(source=slot) | Send(slot=slot):
            yield slot
            return
        case _:
            return
    for tree in trees:
        yield from slots_of(tree)


def writes(instruction: Instruction) -> tuple[Slot, ...]:
    """The slots that an instruction fills."""
    match instruction:
        case Call(outputs=slots) | Branch(outputs=slots):
            return slots
        case Map(output=slot) | Move(target=slot) | Arrive(target=slot) | Recv(slot=slot):
            return (slot,)
        case _:
            return ()


def with_frees(
    body: Sequence[Instruction], inputs: Iterable[Slot], kept: Set[Slot]
) -> tuple[Instruction, ...]:
    """The same code with ``Free`` after the last use of each value that is not ``kept``.

    >>> from hetero.run.program import Recv, Send
    >>> with_frees([Recv(1), Send(1, 1)], (), set())
    (Recv(slot=1), Send(slot=1, readers=1), Free(slots=(1,)))
    """
    last: dict[Slot, int] = dict.fromkeys(inputs, -1)
    for i, instruction in enumerate(body):
        for slot in (*writes(instruction), *reads(instruction)):
            last[slot] = i
    ending: dict[int, list[Slot]] = {}
    for slot, i in last.items():
        if slot not in kept:
            ending.setdefault(i, []).append(slot)
    code: list[Instruction] = [Free(tuple(ending[-1]))] if -1 in ending else []
    for i, instruction in enumerate(body):
        code.append(instruction)
        if i in ending:
            code.append(Free(tuple(ending[i])))
    return tuple(code)
