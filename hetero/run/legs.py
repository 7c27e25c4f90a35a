"""A program split by sites: what one computer does of a request between two hand-overs over the network.

A call to another process costs about a millisecond, so a leg is as much as can be done in one call: all stages of a
site that are the same number of site changes away from the request's start. Legs are programs themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from hetero.run.liveness import with_frees
from hetero.run.program import Block, Call, Free, Gather, Program, Recv, Send, Slot, Stage, Take, calls
from hetero.run.sites import site_of

__all__ = ["Leg", "split"]


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of a program on one site. It takes the values of some slots and gives those of others, in this order."""

    site: str
    program: Program
    takes: tuple[Slot, ...]
    gives: tuple[Slot, ...]

    def calls(self) -> Iterator[Call]:
        """Every call of its stages, those inside maps and branches too."""
        return (call for stage in self.program.stages for call in calls(stage.block))


def split(program: Program) -> tuple[Leg, ...]:
    """The legs of a program, in an order in which each takes only what the caller or earlier ones give."""
    groups: dict[tuple[int, str], list[Stage]] = {}
    for stage, level in zip(program.stages, _levels(program.stages), strict=True):
        groups.setdefault((level, site_of(stage.lane.processor)), []).append(stage)
    result = _received(program.finish)
    ordered = [(site, stages) for (_, site), stages in sorted(groups.items(), key=lambda item: item[0][0])]
    taken_by = [
        frozenset(slot for stage in stages for slot in _received(stage.block)) for _, stages in ordered
    ]
    legs = []
    for i, (site, stages) in enumerate(ordered):
        elsewhere = set(result).union(*(taken for j, taken in enumerate(taken_by) if j != i))
        legs.append(_leg(program, f"{program.name}, leg {i}", site, stages, elsewhere))
    return tuple(legs)


def _levels(stages: Sequence[Stage]) -> list[int]:
    """For each stage the most site changes on a way to it."""
    levels: list[int] = []
    for stage in stages:
        own = site_of(stage.lane.processor)
        before = [stages[i] for i in stage.waits_for]
        levels.append(max((levels[b.index] + (site_of(b.lane.processor) != own) for b in before), default=0))
    return levels


def _leg(program: Program, name: str, site: str, stages: Sequence[Stage], elsewhere: Set[Slot]) -> Leg:
    number = {stage.index: i for i, stage in enumerate(stages)}
    received = [slot for stage in stages for slot in _received(stage.block)]
    readers = {slot: received.count(slot) for slot in received}
    sent = [item.slot for stage in stages for item in stage.block.body if isinstance(item, Send)]
    gives = tuple(slot for slot in sent if slot in elsewhere)
    takes = tuple(slot for slot in dict.fromkeys(received) if slot not in sent)
    inside = tuple(
        Stage(
            number[stage.index],
            stage.lane,
            stage.cores,
            _with_readers(stage.block, {slot: readers.get(slot, 0) + (slot in gives) for slot in sent}),
            tuple(number[i] for i in stage.waits_for if i in number),
        )
        for stage in stages
    )
    finish = Block(
        f"{name}, result", (), tuple(map(Recv, gives)), Gather("tuple", tuple(map(Take, gives))), framed=True
    )
    part = replace(
        program,
        name=name,
        inputs=takes,
        input_readers=tuple(readers[slot] for slot in takes),
        straight=_straight(name, takes, inside, gives),
        stages=inside,
        finish=finish,
    )
    return Leg(site, part, takes, gives)


def _straight(
    name: str, takes: Sequence[Slot], stages: Sequence[Stage], gives: Sequence[Slot]
) -> Block | None:
    """The leg as one block, where its stages follow one another on cores of one width: then one thread can run it from
    end to end, which costs no hand-over between threads."""
    follow = all(i == 0 or i - 1 in stage.waits_for for i, stage in enumerate(stages))
    if not follow or len({(stage.lane.processor, stage.cores) for stage in stages}) > 1:
        return None
    body = [item for stage in stages for item in stage.block.body if not isinstance(item, Recv | Send | Free)]
    result = Gather("tuple", tuple(map(Take, gives)))
    return Block(name, tuple(takes), with_frees(body, takes, frozenset(gives)), result)


def _received(block: Block) -> tuple[Slot, ...]:
    return tuple(item.slot for item in block.body if isinstance(item, Recv))


def _with_readers(block: Block, readers: Mapping[Slot, int]) -> Block:
    body = tuple(
        Send(item.slot, readers[item.slot]) if isinstance(item, Send) else item for item in block.body
    )
    return replace(block, body=body)
