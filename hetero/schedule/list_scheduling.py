"""List schedulers by the book: order the tasks by a rank, give each the best place in turn.

All use insertion (a task may fill a gap) and respect memory, missing links and limits as they go, by
considering only options that still fit; so they can reach a dead end, and then return None.

- HEFT and CPOP: H. Topcuoglu, S. Hariri, M.-Y. Wu, "Performance-effective and low-complexity task
  scheduling for heterogeneous computing", IEEE TPDS 13(3), 2002. https://doi.org/10.1109/71.993206
- HEFT by shortest and longest times: H. Zhao, R. Sakellariou, "An experimental investigation into the rank
  function of the heterogeneous earliest finish time scheduling algorithm", Euro-Par 2003.
  https://doi.org/10.1007/978-3-540-45209-6_28
- PEFT: H. Arabnejad, J. G. Barbosa, "List scheduling algorithm for heterogeneous systems by an optimistic
  cost table", IEEE TPDS 25(3), 2014. https://doi.org/10.1109/TPDS.2013.57
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from hetero.schedule.arrays import Arrays, Floats
from hetero.schedule.builder import Builder
from hetero.schedule.clock import now
from hetero.schedule.draft import Draft
from hetero.schedule.problem import Limits
from hetero.schedule.ranks import downward_rank, optimistic_cost, upward_rank

__all__ = [
    "PORTFOLIO",
    "cpop",
    "fixed_options",
    "heft",
    "heft_by_longest",
    "heft_by_shortest",
    "lookahead",
    "one_processor",
    "peft",
    "place_all",
    "portfolio",
]

ALL_UP_TO = 30_000
"""Options; beyond, a second list schedule takes longer than what it gains is worth."""

LOOKAHEAD_UP_TO = 20_000
"""Trials of children; beyond, looking ahead takes more than the few milliseconds that a list schedule should."""


def heft(arrays: Arrays, limits: Limits) -> Draft | None:
    """Heterogeneous Earliest Finish Time: by decreasing upward rank, to where it ends first."""
    priority = upward_rank(arrays)
    return place_all(arrays, limits, priority, Builder.earliest_finish, "heft")


def heft_by_shortest(arrays: Arrays, limits: Limits) -> Draft | None:
    """HEFT with ranks of each task's shortest time instead of its mean."""
    return _heft_by(arrays, limits, np.minimum, "heft-shortest")


def heft_by_longest(arrays: Arrays, limits: Limits) -> Draft | None:
    """HEFT with ranks of each task's longest time instead of its mean."""
    return _heft_by(arrays, limits, np.maximum, "heft-longest")


def _heft_by(arrays: Arrays, limits: Limits, extreme: np.ufunc, method: str) -> Draft | None:
    seconds = extreme.reduceat(arrays.seconds, arrays.first[:-1]) if arrays.tasks else np.zeros(0)
    priority = upward_rank(arrays, seconds)
    return place_all(arrays, limits, priority, Builder.earliest_finish, method)


def peft(arrays: Arrays, limits: Limits) -> Draft | None:
    """Predict Earliest Finish Time: weighs in the shortest possible way from there to an exit."""
    table = optimistic_cost(arrays)
    counts = np.diff(arrays.first)
    priority = np.add.reduceat(table, arrays.first[:-1]) / counts if arrays.tasks else np.zeros(0)
    return place_all(
        arrays, limits, priority, lambda builder, task: builder.earliest_finish(task, table), "peft"
    )


def cpop(arrays: Arrays, limits: Limits) -> Draft | None:
    """Critical Path On a Processor: the critical path stays on the processor that suits it best."""
    up = upward_rank(arrays)
    priority = up + downward_rank(arrays)
    critical = np.isclose(priority, priority.max(initial=0.0), rtol=1e-9)
    home = _home_of(arrays, critical)

    def choose(builder: Builder, task: int) -> tuple[int, float] | None:
        on_home = builder.earliest_finish(task, only_on=home) if critical[task] and home is not None else None
        return on_home or builder.earliest_finish(task)

    return place_all(arrays, limits, priority, choose, "cpop")


def lookahead(arrays: Arrays, limits: Limits) -> Draft | None:
    """HEFT that puts a task where the last of its children, placed right after it, would end first."""
    counts = np.diff(arrays.first)
    if int((counts[arrays.source] * counts[arrays.target]).sum()) > LOOKAHEAD_UP_TO:
        return None
    priority = upward_rank(arrays)
    children = [
        sorted(
            set(arrays.target[arrays.outgoing[first:last]].tolist()),
            key=lambda child: (-priority[child], child),
        )
        for first, last in pairwise(arrays.outgoing_first.tolist())
    ]

    def choose(builder: Builder, task: int) -> tuple[int, float] | None:
        return min(
            builder.ways(task),
            key=lambda way: (_last_end(builder, way, children[task]), way[1] + arrays.seconds[way[0]]),
            default=None,
        )

    return place_all(arrays, limits, priority, choose, "lookahead")


def _last_end(builder: Builder, way: tuple[int, float], children: Sequence[int]) -> float:
    """When a task put this way and the given children, each where it ends first, have all ended."""
    last, tried = builder.put_for_now(*way), [way]
    for child in children:
        place = builder.earliest_finish(child)
        if place is None:
            last = math.inf
            break
        last = max(last, builder.put_for_now(*place))
        tried.append(place)
    for place in reversed(tried):
        builder.take_back(*place)
    return last


def one_processor(arrays: Arrays, limits: Limits) -> Draft | None:
    """The best single processor, everything else unused: no plan of several should be worse."""
    priority = upward_rank(arrays)
    best: Draft | None = None
    for least_s, processor in sorted(_alone(arrays)):
        if best is not None and least_s >= best.makespan_s:
            break
        draft = place_all(arrays, limits, priority, partial(_earliest_on, processor), "one-processor")
        best = _best([best, draft])
    return best


def _alone(arrays: Arrays) -> Iterator[tuple[float, int]]:
    """The processors that can run all tasks, each with the seconds that it needs at least."""
    for processor in range(arrays.processors):
        here = arrays.processor == processor
        work = np.full(arrays.tasks, math.inf)
        np.minimum.at(work, arrays.task[here], (arrays.seconds * arrays.cores)[here])
        least_s = float(work.sum()) / int(arrays.capacity[processor])
        if math.isfinite(least_s):
            yield least_s, processor


def _earliest_on(processor: int, builder: Builder, task: int) -> tuple[int, float] | None:
    return builder.earliest_finish(task, only_on=processor)


def fixed_options(arrays: Arrays, option: Sequence[int], method: str) -> Draft:
    """HEFT's order and insertion for options that are already chosen (and fit)."""
    seconds = arrays.seconds[np.asarray(option, dtype=np.int64)]
    draft = place_all(
        arrays,
        Limits(),
        upward_rank(arrays, seconds),
        lambda builder, task: builder.start_of(int(option[task])),
        method,
    )
    assert draft is not None, "options that fit together can always be put in order"
    return draft


PORTFOLIO: tuple[Callable[[Arrays, Limits], Draft | None], ...] = (
    heft,
    heft_by_shortest,
    heft_by_longest,
    peft,
    cpop,
    lookahead,
    one_processor,
)


def portfolio(arrays: Arrays, limits: Limits, until: float = math.inf) -> list[Draft]:
    """What each list scheduler makes of the problem, best first, dead ends left out; of a very large one, the first.

    From `until` on, in the time of `hetero.schedule.clock`, none is begun if there is a draft already.
    """
    drafts: list[Draft] = []
    for scheduler in PORTFOLIO:
        if drafts and (arrays.options > ALL_UP_TO or (math.isfinite(until) and now() > until)):
            break
        draft = scheduler(arrays, limits)
        drafts += [] if draft is None else [draft]
    return sorted(drafts, key=lambda draft: draft.makespan_s)


def place_all(
    arrays: Arrays,
    limits: Limits,
    priority: Floats,
    choose: Callable[[Builder, int], tuple[int, float] | None],
    method: str,
) -> Draft | None:
    """Place ready tasks by decreasing priority.

    Ready tasks from a heap, not one sort of all: with zero-length tasks, or ranks that do not fall along
    every edge (CPOP's, PEFT's), sorting alone would put a task before its predecessor.
    """
    builder = Builder(arrays, limits)
    for task in builder.by_priority(priority):
        place = choose(builder, task)
        if place is None:
            return None
        builder.put(*place)
    return builder.draft(method)


def _home_of(arrays: Arrays, critical: npt.NDArray[np.bool_]) -> int | None:
    """The processor that runs all critical tasks in the least time, if one can run them all."""
    best, best_seconds = None, math.inf
    for processor in range(arrays.processors):
        least = np.full(arrays.tasks, math.inf)
        here = arrays.processor == processor
        np.minimum.at(least, arrays.task[here], arrays.seconds[here])
        seconds = float(least[critical].sum())
        if seconds < best_seconds:
            best, best_seconds = processor, seconds
    return best


def _best(drafts: Sequence[Draft | None]) -> Draft | None:
    found = [draft for draft in drafts if draft is not None]
    return min(found, key=lambda draft: draft.makespan_s, default=None)
