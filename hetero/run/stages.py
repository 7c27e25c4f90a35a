"""Cutting the lanes of a program into stages: straight-line code that never waits.

A stage begins where a task takes something from another lane and ends where one gives something to another lane.
Nobody therefore waits for more than it needs, and whoever runs a stage runs it to its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hetero.plans import MicroBatch
from hetero.run.lanes import Seat
from hetero.run.liveness import reads, with_frees, writes
from hetero.run.program import (
    Block,
    Call,
    Gather,
    Instruction,
    Recv,
    Send,
    Slot,
    Stage,
    Together,
    Tree,
    slots_of,
)

__all__ = ["Step", "cut"]


@dataclass(frozen=True, slots=True)
class Step:
    """A task of the schedule with its instructions; ``cores`` is 0 for a task of zero seconds. One with a
    ``micro_batch`` is a stage by itself."""

    task: str
    seat: Seat
    cores: int
    body: tuple[Instruction, ...]
    micro_batch: MicroBatch | None = None


def cut(
    name: str, steps: Sequence[Step], inputs: Sequence[Slot], output: Tree
) -> tuple[tuple[Stage, ...], Block, Mapping[Slot, int]]:
    """The stages of these steps, which come in an order that could run one by one; the block that takes the result
    from what they sent; and for each slot how many of these receive it."""
    groups, waits = _grouped(steps)
    taken = [_taken(group) for group in groups]
    result = tuple(dict.fromkeys(slots_of(output)))
    readers: dict[Slot, int] = {}
    for slots in (*taken, result):
        for slot in slots:
            readers[slot] = readers.get(slot, 0) + 1
    stages = tuple(
        Stage(i, group[0].seat.lanes[0], max(step.cores for step in group), block, waits[i], together)
        for i, group in enumerate(groups)
        for block in [_block(f"{name}, stage {i}", group, taken[i], readers)]
        for together in [_together(block.name, group[0], taken[i], readers)]
    )
    received: tuple[Instruction, ...] = tuple(Recv(slot) for slot in result)
    return stages, Block(f"{name}, result", (), received, output, framed=True), readers


def _block(name: str, group: Sequence[Step], taken: Sequence[Slot], readers: Mapping[Slot, int]) -> Block:
    body: list[Instruction] = [Recv(slot) for slot in taken]
    for step in group:
        body += step.body
    made = [slot for step in group for instruction in step.body for slot in writes(instruction)]
    body += [Send(slot, readers[slot]) for slot in made if slot in readers]
    return Block(name, (), with_frees(body, (), frozenset()), None, framed=True)


def _together(name: str, step: Step, taken: Sequence[Slot], readers: Mapping[Slot, int]) -> Together | None:
    """The work of a step that is a stage by itself, cut around its call."""
    if step.micro_batch is None:
        return None
    (at,) = (i for i, item in enumerate(step.body) if isinstance(item, Call))
    call = step.body[at]
    assert isinstance(call, Call)
    before = [*map(Recv, taken), *step.body[:at]]
    args = Gather("tuple", call.args)
    take = Block(f"{name}, take", (), with_frees(before, (), set(slots_of(args))), args, framed=True)
    after: list[Instruction] = [*map(Recv, call.outputs), *step.body[at + 1 :]]
    after += [Send(slot, readers[slot]) for item in step.body for slot in writes(item) if slot in readers]
    give = Block(f"{name}, give", (), with_frees(after, (), frozenset()), None, framed=True)
    return Together(take, call, give, step.micro_batch.requests, step.micro_batch.wait_s)


def _taken(group: Sequence[Step]) -> tuple[Slot, ...]:
    """What a group takes that it does not make, in the order of first use."""
    made: set[Slot] = set()
    taken: dict[Slot, None] = {}
    for step in group:
        for instruction in step.body:
            taken.update(dict.fromkeys(slot for slot in reads(instruction) if slot not in made))
            made.update(writes(instruction))
    return tuple(taken)


def _grouped(steps: Sequence[Step]) -> tuple[list[list[Step]], list[tuple[int, ...]]]:
    """Runs of steps on one lane without a hand-over in between; and for each run those that it waits for."""
    before = _predecessors(steps)
    lane = {step.task: step.seat.lanes[0] for step in steps}
    gives = {source for task, sources in before.items() for source in sources if lane[source] != lane[task]}
    groups: list[list[Step]] = []
    group_of: dict[str, int] = {}
    open_group: dict[object, int] = {}
    for step in steps:
        here = step.seat.lanes[0]
        current = open_group.get(here)
        crosses = any(lane[source] != here for source in before[step.task])
        if current is None or crosses or not _may_join(groups[current], step):
            open_group[here] = current = len(groups)
            groups.append([])
        groups[current].append(step)
        group_of[step.task] = current
        if step.task in gives:
            del open_group[here]
    waits = [
        tuple(sorted({group_of[source] for step in group for source in before[step.task]} - {i}))
        for i, group in enumerate(groups)
    ]
    return groups, waits


def _may_join(group: Sequence[Step], step: Step) -> bool:
    """Whether a step holds what its group holds; a task of zero seconds holds nothing and fits everywhere."""
    if step.micro_batch is not None or group[0].micro_batch is not None:
        return False
    widths = {s.cores for s in (*group, step)} - {0}
    return len(widths) <= 1


def _predecessors(steps: Sequence[Step]) -> Mapping[str, tuple[str, ...]]:
    """The tasks that must have ended before each one: those whose values it takes, and the last ones of its lanes."""
    maker = {slot: step.task for step in steps for instruction in step.body for slot in writes(instruction)}
    return {
        step.task: tuple(
            dict.fromkeys(
                [
                    *(
                        maker[slot]
                        for instruction in step.body
                        for slot in reads(instruction)
                        if slot in maker and maker[slot] != step.task
                    ),
                    *step.seat.after,
                ]
            )
        )
        for step in steps
    }
