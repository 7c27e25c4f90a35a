"""The items of a result as they are made: the same program, in which what makes the result does so when it is asked.

A generator node's value is a list like any other. Where that list, or a map over it, is the pipeline's result, nobody
but the caller takes its items, and so the caller may have each of them before the next one is made.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from time import perf_counter
from typing import Any, TypeAlias

from hetero.errors import NodeError
from hetero.ops.function import FunctionOp
from hetero.run.liveness import reads, writes
from hetero.run.program import Block, Call, Free, Instruction, Map, Program, Recv, Send, Slot, Take, slots_of

__all__ = ["lazily_generated", "lazily_mapped", "lazy_program"]

Note: TypeAlias = Callable[[tuple[float, float]], None]
Explain: TypeAlias = Callable[[Exception], NodeError]


def lazy_program(program: Program, here: Container[str]) -> Program | None:
    """The program whose result is an iterator; None where the result is not made item by item.

    Args:
        here: the devices whose calls are made in this process, where a generator can be left half way.
    """
    paths = frozenset(_makers(program, here))
    if not paths:
        return None
    return replace(
        program,
        straight=None if program.straight is None else _lazily(program.straight, paths),
        stages=tuple(replace(stage, block=_lazily(stage.block, paths)) for stage in program.stages),
    )


def _makers(program: Program, here: Container[str]) -> Iterator[str]:
    """The nodes whose items go to the caller and to nobody else, from the last one back."""
    if not isinstance(program.finish.result, Take):
        return
    work = [
        item
        for stage in program.stages
        for item in stage.block.body
        if not isinstance(item, Recv | Send | Free)
    ]
    makers = {slot: item for item in work for slot in writes(item)}
    taken = [slot for item in work for slot in reads(item)] + list(slots_of(program.finish.result))
    slot: Slot | None = program.finish.result.slot
    while slot is not None and taken.count(slot) == 1:
        maker = makers.get(slot)
        slot = None
        if isinstance(maker, Map):
            yield maker.path
            slot = maker.items.slot if isinstance(maker.items, Take) else None
        elif isinstance(maker, Call) and _generates(program, maker, here):
            yield maker.path


def _generates(program: Program, call: Call, here: Container[str]) -> bool:
    build = program.builds[call.executable]
    return isinstance(build.op, FunctionOp) and build.op.generates and build.device in here


def _lazily(block: Block, paths: Container[str]) -> Block:
    def lazy(item: Instruction) -> Instruction:
        if not isinstance(item, Call | Map) or item.path not in paths:
            return item
        # A map that gives its items out one by one runs them one by one.
        return replace(item, lazy=True, parts=()) if isinstance(item, Map) else replace(item, lazy=True)

    return replace(block, body=tuple(map(lazy, block.body)))


def lazily_generated(items: Iterable[Any], note: Note, explained: Explain) -> Iterator[Any]:
    """A user's generator, whose error names its node. What it took, without the pauses of who takes the items, counts
    as one call when it has ended."""
    source, busy_s = iter(items), 0.0
    while True:
        begun_s = perf_counter()
        try:
            item = next(source)
        except StopIteration:
            break
        except Exception as error:  # whatever a node raises
            named = explained(error)
            raise named from named.__cause__
        busy_s += perf_counter() - begun_s
        yield item
        del item
    _ended(busy_s + perf_counter() - begun_s, note)


def lazily_mapped(
    work: Callable[[Any], Any], items: Iterable[Any], note: Note, explained: Explain
) -> Iterator[Any]:
    """``map(work, items)``, counted and explained as ``lazily_generated`` does."""
    busy_s = 0.0
    for item in items:
        begun_s = perf_counter()
        try:
            result = work(item)
        except Exception as error:  # whatever a node raises
            named = explained(error)
            raise named from named.__cause__
        del item
        busy_s += perf_counter() - begun_s
        yield result
        del result
    _ended(busy_s, note)


def _ended(busy_s: float, note: Note) -> None:
    now_s = perf_counter()
    note((now_s - busy_s, now_s))
