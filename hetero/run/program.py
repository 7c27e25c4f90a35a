"""A plan compiled to instructions: the one list that local and Ray runs execute.

A program has no names to look up and nothing left to decide but what depends on data. Values live in numbered
slots; a slot is written once per request. Work is cut into *stages*: straight-line code that runs on one lane of a
processor without waiting. A stage begins with what it receives and ends with what it sends, so an executor may run
its stages in threads, in processes or in actors without looking inside.

    plan --compile_program--> Program --> LocalExecutor | RayExecutor
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from hetero.arguments import Errors
from hetero.device import Variant
from hetero.graph import Const
from hetero.ops.base import Effects, Op
from hetero.rewrite.batch import Batching

__all__ = [
    "Arrive",
    "Block",
    "Branch",
    "Build",
    "Call",
    "Free",
    "Gather",
    "Instruction",
    "Lane",
    "Map",
    "Move",
    "Part",
    "Program",
    "Recv",
    "Send",
    "Slot",
    "Stage",
    "Take",
    "Together",
    "Tree",
    "blocks",
    "calls",
    "evaluate",
    "render",
    "slots_of",
    "walk",
]

Slot: TypeAlias = int


@dataclass(frozen=True, slots=True)
class Take:
    """The value in a slot."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class Gather:
    """A list, tuple or dict built from other trees."""

    type: Literal["list", "tuple", "dict"]
    items: tuple[Tree, ...]
    keys: tuple[object, ...] = ()


Tree: TypeAlias = Take | Const | Gather
"""An argument: where each of its parts comes from."""


@dataclass(frozen=True, slots=True)
class Call:
    """Run executable number ``executable`` of the program for the node at ``path``.

    A ``lazy`` one, of a generator, gives an iterator over the items instead of their list.
    """

    path: str
    executable: int
    args: tuple[Tree, ...]
    outputs: tuple[Slot, ...]
    effects: Effects = "pure"
    lazy: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a map's body: ``block`` applied to ``args`` of each item fills the slots ``gives`` of that item.

    With a ``batching`` it is applied to the stacked arguments of the items of a batch, and its outputs are taken apart.
    """

    block: Block
    args: tuple[Tree, ...]
    gives: tuple[Slot, ...]
    batching: Batching | None = None


@dataclass(frozen=True, slots=True)
class Map:
    """Run ``body(item, *closure)`` for each item, over at most ``lanes`` threads, results in the items' order.

    The error of an item fails the request, or stands in the place of its result. Where a node takes several items at
    once, ``parts`` are the body cut there: each runs for all items before the next one begins. A ``lazy`` map gives an
    iterator, and runs the whole body for an item when it is asked for it.
    """

    path: str
    body: Block
    lanes: int
    items: Tree
    closure: tuple[Tree, ...]
    output: Slot
    errors: Errors = "raise"
    parts: tuple[Part, ...] = ()
    lazy: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """Run one of two blocks; the other one is not touched. Both take all of ``closure``."""

    path: str
    test: Tree
    then: Block
    otherwise: Block
    closure: tuple[Tree, ...]
    outputs: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """Copy a value into another memory space. One side is always the host: devices do not know each other.

    ``path`` is the node (or ``""``: the caller) that the value comes from. An ``early`` copy is only begun here: what
    is in ``target`` is still under way, and whoever needs the value lets it ``Arrive``.
    """

    path: str
    source: Slot
    target: Slot
    source_space: str
    target_space: str
    early: bool = False


@dataclass(frozen=True, slots=True)
class Arrive:
    """Wait for a copy that was begun early; ``source`` is what is under way."""

    path: str
    source: Slot
    target: Slot
    source_space: str
    target_space: str


@dataclass(frozen=True, slots=True)
class Recv:
    """Take a value that another stage, or the caller, has sent. The last of its receivers lets go of it."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class Send:
    """Hand a value to ``readers`` other stages (the caller, who takes the result, counts as one)."""

    slot: Slot
    readers: int


@dataclass(frozen=True, slots=True)
class Free:
    """Nothing that follows uses these values."""

    slots: tuple[Slot, ...]


Instruction: TypeAlias = Call | Map | Branch | Move | Arrive | Recv | Send | Free


@dataclass(frozen=True, slots=True)
class Block:
    """Straight-line code: parameters in, one value out. ``result`` None means that it only sends.

    A ``framed`` block has no inputs: it receives from a request's frame and sends to it.
    """

    name: str
    inputs: tuple[Slot, ...]
    body: tuple[Instruction, ...]
    result: Tree | None
    framed: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """One of the cores of a processor, as a place where tasks follow one another."""

    processor: str
    index: int

    def __str__(self) -> str:
        return f"{self.processor}:{self.index}"


@dataclass(frozen=True, slots=True)
class Together:
    """How the requests that wait for a stage of one call have it made once for all of them.

    ``take`` gives the call's arguments from a request's frame; ``give`` sends on what it finds in the frame at the
    call's output slots. At most ``requests`` go together, and the first one waits at most ``wait_s`` for the others.
    """

    take: Block
    call: Call
    give: Block
    requests: int
    wait_s: float


@dataclass(frozen=True, slots=True)
class Stage:
    """A block that holds ``cores`` of its lane's processor while it runs, after the stages ``waits_for``.

    Requests may share what it does ``together``; an executor that knows nothing of that runs the block for each.
    """

    index: int
    lane: Lane
    cores: int
    block: Block
    waits_for: tuple[int, ...]
    together: Together | None = None


@dataclass(frozen=True, slots=True)
class Build:
    """Something to compile when the program is opened: an op for one variant on one device, and who calls it.

    ``patience_s`` is how long one call may take before it counts as hung; None: as long as its device allows.
    """

    device: str
    op: Op
    variant: Variant
    paths: tuple[str, ...]
    patience_s: float | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """The whole plan as instructions.

    ``inputs`` are the slots of the caller's arguments in order. ``straight`` is all of it as one block, present
    where no two tasks overlap in time: it then runs in the caller's thread. ``stages`` is the same work cut by
    lanes, for plans with parallel tasks and for many requests in flight; ``finish`` takes what they sent to the caller.
    ``predicted_s`` are the seconds that nodes are predicted to take for one request, by path.
    """

    name: str
    inputs: tuple[Slot, ...]
    input_readers: tuple[int, ...]
    builds: tuple[Build, ...]
    straight: Block | None
    stages: tuple[Stage, ...]
    finish: Block
    slots: int
    predicted_s: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return render(self)


def slots_of(tree: Tree) -> Iterator[Slot]:
    """Every slot that a tree takes, in order.

    >>> list(slots_of(Gather("list", (Take(3), Const(1), Take(5)))))
    [3, 5]
    """
    if isinstance(tree, Take):
        yield tree.slot
    elif isinstance(tree, Gather):
        for item in tree.items:
            yield from slots_of(item)


def evaluate(tree: Tree, slots: Mapping[Slot, Any]) -> Any:
    """The value of a tree.

    >>> evaluate(Gather("tuple", (Take(3), Const(1))), {3: "a"})
    ('a', 1)
    """
    if isinstance(tree, Take):
        return slots[tree.slot]
    if isinstance(tree, Const):
        return tree.value
    items = [evaluate(item, slots) for item in tree.items]
    if tree.type == "dict":
        return dict(zip(tree.keys, items, strict=True))
    return tuple(items) if tree.type == "tuple" else items


def walk(block: Block) -> Iterator[Instruction]:
    """Every instruction of a block, those inside maps and branches too."""
    for instruction in block.body:
        yield instruction
        if isinstance(instruction, Map):
            yield from walk(instruction.body)
        elif isinstance(instruction, Branch):
            yield from walk(instruction.then)
            yield from walk(instruction.otherwise)


def calls(block: Block) -> Iterator[Call]:
    """Every call of a block, those inside maps and branches too."""
    return (instruction for instruction in walk(block) if isinstance(instruction, Call))


def blocks(program: Program) -> tuple[Block, ...]:
    """The blocks that together are all of the program's work, once."""
    return tuple(stage.block for stage in program.stages)


def render(program: Program) -> str:
    """The program as text, one line an instruction: for people and for tests."""
    lines = [f"program {program.name}({', '.join(f'v{slot}' for slot in program.inputs)})"]
    if program.straight is not None:
        lines += ["straight:", *_lines(program.straight, 1)]
    for stage in program.stages:
        after = f" after {', '.join(map(str, stage.waits_for))}" if stage.waits_for else ""
        lines += [
            f"stage {stage.index} on {stage.lane} ({stage.cores} cores){after}:",
            *_lines(stage.block, 1),
        ]
    return "\n".join([*lines, "finish:", *_lines(program.finish, 1)])


def _lines(block: Block, depth: int) -> Iterator[str]:
    pad = "  " * depth
    for item in block.body:
        match item:
            case Call(path, executable, args, outputs):
                yield f"{pad}{_names(outputs)} = call {path} #{executable} ({', '.join(map(_text, args))})"
            case Map(path, body, lanes, items, closure, output, parts=parts):
                taken = ", ".join(map(_text, (items, *closure)))
                yield f"{pad}v{output} = map {path} lanes={lanes} ({taken})"
                for part in parts:
                    how = "each item" if part.batching is None else f"batches of {part.batching.size}"
                    yield f"{pad} {how}"
                    yield from _lines(part.block, depth + 1)
                yield from () if parts else _lines(body, depth + 1)
            case Branch(path, test, then, otherwise, closure, outputs):
                yield f"{pad}{_names(outputs)} = branch {path} ({', '.join(map(_text, (test, *closure)))})"
                yield f"{pad} then"
                yield from _lines(then, depth + 1)
                yield f"{pad} otherwise"
                yield from _lines(otherwise, depth + 1)
            case Move(_, source, target, source_space, target_space, early):
                how = "begin to move" if early else "move"
                yield f"{pad}v{target} = {how} v{source} {source_space} -> {target_space}"
            case Arrive(_, source, target):
                yield f"{pad}v{target} = arrived v{source}"
            case Recv(slot):
                yield f"{pad}recv v{slot}"
            case Send(slot, readers):
                yield f"{pad}send v{slot} to {readers}"
            case Free(slots):
                yield f"{pad}free {_names(slots)}"
    if block.result is not None:
        yield f"{pad}return {_text(block.result)}"


def _names(slots: tuple[Slot, ...]) -> str:
    return ", ".join(f"v{slot}" for slot in slots)


def _text(tree: Tree) -> str:
    if isinstance(tree, Take):
        return f"v{tree.slot}"
    if isinstance(tree, Const):
        return f"<{type(tree.value).__name__}>"
    return f"{tree.type}({', '.join(map(_text, tree.items))})"
