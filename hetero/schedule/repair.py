"""Schedules for problems whose memory is so tight that list schedulers run into the wall.

A list scheduler looks at one task at a time, and the last ones no longer fit anywhere. Here a whole choice of
processors comes first, made without regard to memory; then tasks move, or trade places, until every processor holds
what it was given, cheapest first (`hetero.schedule.packing`), or CP-SAT packs them where that does not do it; then HEFT
makes a schedule of it, which may deviate where memory allows (`hetero.schedule.reservations`). What is repaired:

- HEFT's own, as if memory had no end: good where memory hardly binds;
- the tasks in HEFT's order cut into one stretch for each processor, as long as its memory: few transfers where the
  graph is a chain of layers.

Tasks that share one resident copy on a processor move together, because moving only some of them frees nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from hetero.schedule.arrays import Arrays, Floats, Ints
from hetero.schedule.draft import Draft
from hetero.schedule.effort import Effort, Outcome
from hetero.schedule.list_scheduling import fixed_options, heft, portfolio
from hetero.schedule.packing import Packing, choices, held_bytes
from hetero.schedule.problem import Limits
from hetero.schedule.ranks import upward_rank
from hetero.schedule.reservations import heft_with_reservations
from hetero.schedule.tradeoff import limited_sums

__all__ = ["memory_binds", "packed_by_solver", "repaired", "starting_draft"]


def starting_draft(
    arrays: Arrays, limits: Limits, *, quick: bool = False, until: float = math.inf
) -> Draft | None:
    """The best list schedule, with repair where memory binds; `quick` repairs only where nothing else fits.

    List schedulers are tried until `until`, which see `portfolio`.
    """
    drafts = portfolio(arrays, limits, until)
    if memory_binds(arrays) and not (quick and drafts):
        drafts += repaired(arrays, limits)
    return min(drafts, key=lambda draft: draft.makespan_s, default=None)


def packed_by_solver(arrays: Arrays, limits: Limits, effort: Effort) -> Outcome:
    """CP-SAT's choice of options that keeps all limits but that on seconds, put in order; or its proof of none."""
    from hetero.schedule.exact import minimise_sum

    untimed = replace(limits, seconds=None)
    outcome = minimise_sum(arrays, untimed, arrays.seconds, incumbent=None, horizon_s=0.0, effort=effort)
    if outcome.draft is None:
        return Outcome(None, 0.0, outcome.infeasible)
    return Outcome(fixed_options(arrays, outcome.draft.option.tolist(), "packed"), 0.0)


def memory_binds(arrays: Arrays) -> bool:
    """Whether some processor could be given more than it holds."""
    if arrays.tasks == 0 or np.isinf(arrays.memory_capacity).all():
        return False
    return bool((arrays.memory_capacity < _all_bytes(arrays)).any())


def repaired(arrays: Arrays, limits: Limits) -> list[Draft]:
    """Drafts that keep the processors' memory, best first; none where all repairs fail, or other limits are tight."""
    drafts: list[Draft] = []
    for option in _choices_to_repair(arrays, limits):
        packing = next(
            (p for lean in (False, True) if (p := Packing(arrays, option, lean=lean)).repair()), None
        )
        if packing is not None:
            drafts += _schedules(arrays, limits, packing.option)
    return sorted(drafts, key=lambda draft: draft.makespan_s)


def _schedules(arrays: Arrays, limits: Limits, packed: Ints) -> Iterator[Draft]:
    """What HEFT makes of a choice that fits, and of leave to deviate from it."""
    if _keeps_limits(arrays, limits, packed):
        yield fixed_options(arrays, packed.tolist(), "repaired")
    freer = heft_with_reservations(arrays, limits, packed)
    if freer is not None and _keeps_limits(arrays, limits, freer.option):
        yield freer


def _choices_to_repair(arrays: Arrays, limits: Limits) -> Iterator[Ints]:
    unlimited = replace(arrays, memory_capacity=np.full(arrays.processors, np.inf))
    relaxed = heft(unlimited, replace(limits, memory_bytes=None))
    if relaxed is not None:
        yield relaxed.option
    cut = _stretches(arrays)
    if cut is not None:
        yield cut


def _stretches(arrays: Arrays) -> Ints | None:
    """The tasks in HEFT's order, dealt out to the fastest processors one after the other; None where links are missing.

    Each processor takes its part of all bytes; one without options takes none. A task goes on to the next where it has
    no option on the one at hand.
    """
    if not np.isfinite(arrays.latency).all():
        return None
    fastest = choices(arrays, arrays.seconds)
    in_use = np.unique(arrays.processor)
    mean = np.array([arrays.seconds[arrays.processor == p].mean() for p in in_use.tolist()])
    places = in_use[np.argsort(mean, kind="stable")]
    needed = _needed(arrays)
    capacity = np.minimum(arrays.memory_capacity, needed.sum())[places]
    # The first processors that hold it all between them, each a little less than full: repair needs some slack.
    used = int(np.searchsorted(np.cumsum(capacity), needed.sum() * (1 - 1e-12))) + 1
    places, capacity = places[:used], capacity[:used]
    ends = np.cumsum(capacity) * needed.sum() / capacity.sum()
    position = np.empty(arrays.tasks, dtype=np.int64)
    position[arrays.order] = np.arange(arrays.tasks)
    by_rank = np.lexsort((position, -upward_rank(arrays)))
    before = np.cumsum(needed[by_rank]) - needed[by_rank] / 2
    option = np.empty(arrays.tasks, dtype=np.int64)
    for task, place in zip(by_rank.tolist(), np.searchsorted(ends, before).tolist(), strict=True):
        able = [p for p in (*places[place:], *places, *range(arrays.processors)) if fastest[task, p] >= 0]
        option[task] = fastest[task, able[0]]
    return option


def _needed(arrays: Arrays) -> Floats:
    """Bytes of each task, a copy that is shared counted at the first of its tasks only."""
    largest = np.maximum.reduceat(arrays.memory, arrays.first[:-1])
    keys = arrays.key[arrays.first[:-1]]
    first_of_key = np.zeros(arrays.tasks, dtype=bool)
    first_of_key[np.unique(keys, return_index=True)[1]] = True
    return np.where((keys >= 0) & ~first_of_key, 0.0, largest)


def _all_bytes(arrays: Arrays) -> Floats:
    """What each processor would hold if every task that can were there."""
    own = arrays.key < 0
    most = np.zeros((arrays.tasks, arrays.processors))
    np.maximum.at(most, (arrays.task[own], arrays.processor[own]), arrays.memory[own])
    total: Floats = most.sum(axis=0)
    for key in np.unique(arrays.key[~own]).tolist():
        members = arrays.key == key
        total[arrays.processor[members][0]] += arrays.memory[members].max()
    return total


def _keeps_limits(arrays: Arrays, limits: Limits, option: Ints) -> bool:
    total = limits.memory_bytes
    if total is not None and float(held_bytes(arrays, option).sum()) > total:
        return False
    return all(
        float(values[option].sum()) <= limit * (1 + 1e-12) for values, limit in limited_sums(arrays, limits)
    )
