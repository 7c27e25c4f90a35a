"""A map's body cut where a node takes several items at once: what is before it, it, and what is after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from hetero.ops.base import Outputs
from hetero.rewrite.batch import Batching, Over, run_batched
from hetero.run.liveness import reads, with_frees, writes
from hetero.run.program import Block, Call, Gather, Instruction, Part, Slot, Take, Tree, evaluate, slots_of

__all__ = ["cut_at_batches", "run_parts"]


def cut_at_batches(
    name: str,
    body: Sequence[Instruction],
    output: Tree,
    batchings: Mapping[str, Batching],
    new_slot: Callable[[], Slot],
) -> tuple[Part, ...]:
    """The body's instructions as parts that run one after the other, each for all items before the next one begins.

    A part gives only what a later one or the output takes.
    """
    pieces = list(_pieces(body, batchings))
    parts: list[Part] = []
    wanted = set(slots_of(output))
    for piece in reversed(pieces):
        made = {slot for item in piece for slot in writes(item)}
        gives = tuple(sorted(made & wanted))
        takes = tuple(dict.fromkeys(slot for item in piece for slot in reads(item) if slot not in made))
        first = piece[0]
        if isinstance(first, Call) and first.path in batchings:
            parts.append(_batched_part(name, first, gives, batchings[first.path], new_slot))
        elif gives:
            result = Gather("tuple", tuple(map(Take, gives)))
            block = Block(name, takes, with_frees(piece, takes, set(gives)), result)
            parts.append(Part(block, tuple(map(Take, takes)), gives))
        wanted = (wanted - made) | set(takes)
    return tuple(reversed(parts))


def _pieces(body: Sequence[Instruction], batchings: Mapping[str, Batching]) -> Iterator[list[Instruction]]:
    own: list[Instruction] = []
    for item in body:
        if isinstance(item, Call) and item.path in batchings:
            if own:
                yield own
            yield [item]
            own = []
        else:
            own.append(item)
    if own:
        yield own


def _batched_part(
    name: str, call: Call, gives: tuple[Slot, ...], batching: Batching, new_slot: Callable[[], Slot]
) -> Part:
    """The call with an input of its own for each argument: what is stacked has no slot in the body."""
    stacked = tuple(new_slot() for _ in call.args)
    whole = Call(call.path, call.executable, tuple(map(Take, stacked)), call.outputs, call.effects)
    result = Gather("tuple", tuple(map(Take, call.outputs)))
    body = with_frees([whole], stacked, set(call.outputs))
    return Part(Block(name, stacked, body, result), call.args, call.outputs, batching)


def run_parts(
    parts: Sequence[Part],
    functions: Sequence[Callable[..., Outputs]],
    inputs: Sequence[Slot],
    output: Tree,
    items: Sequence[Any],
    closure: Sequence[Any],
    over: Over,
) -> list[Any]:
    """The map's results, in the order of its items."""
    frames: list[dict[Slot, Any]] = [dict(zip(inputs, (item, *closure), strict=True)) for item in items]
    for part, function in zip(parts, functions, strict=True):
        given = [[evaluate(tree, frame) for tree in part.args] for frame in frames]
        if part.batching is None:
            found: Sequence[Outputs] = over(partial(_spread, function), given)
        else:
            found = run_batched(function, given, part.batching, over)
        for frame, outputs in zip(frames, found, strict=True):
            frame.update(zip(part.gives, outputs, strict=True))
    return [evaluate(output, frame) for frame in frames]


def _spread(function: Callable[..., Outputs], values: Sequence[Any]) -> Outputs:
    return function(*values)
