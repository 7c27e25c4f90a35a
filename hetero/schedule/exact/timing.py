"""When tasks run: intervals on cores, transfers along edges, and the makespan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hetero.schedule.arrays import Arrays
from hetero.schedule.exact.choice import choice_model
from hetero.schedule.exact.model import Model
from hetero.schedule.exact.windows import add_work_rows, keep_within, windows
from hetero.schedule.problem import Limits
from hetero.schedule.ticks import time_ticks

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

__all__ = ["timed_model"]

MOST_PAIRS = 5000
"""Of intervals on one processor that are said never to overlap; more would slow the solver down."""


def timed_model(
    arrays: Arrays, limits: Limits, horizon_s: float, lower_s: float = 0.0, *, part: bool = False
) -> Model:
    """A model of choice and times, for makespans from `lower_s` to `horizon_s`.

    For a `part` of a schedule it is written down quickly, without what only helps to prove bounds of the whole.
    """
    if limits.seconds is not None:
        horizon_s = min(horizon_s, limits.seconds)
    model = choice_model(arrays, limits)
    model.ticks, model.horizon_s = time_ticks(arrays, horizon_s), horizon_s
    horizon = model.ticks.at_most(horizon_s)
    lowest = min(horizon, model.ticks.at_least(lower_s))
    model.makespan = model.cp.new_int_var(lowest, horizon, "makespan")
    within = windows(model, horizon, clusters=not part)
    keep_within(model, within, horizon)
    _add_intervals(model, pairs=not part)
    _add_transfers(model)
    if not part:
        add_work_rows(model, within, lowest)
    return model


def _add_intervals(model: Model, *, pairs: bool) -> None:
    """Optional intervals: a task has one end, but no interval refers to it.

    With one end variable in all of a task's optional intervals, CP-SAT 9.15 has cut off optima
    (tests/schedule/test_schedule_exact.py keeps the case; docs/adr/0008 tells the story).
    """
    cp, arrays = model.cp, model.arrays
    seconds = model.whole(arrays.seconds)
    by_processor: list[list[tuple[cp_model.IntervalVar, int]]] = [[] for _ in range(arrays.processors)]
    for option in range(arrays.options):
        start, duration = model.start[arrays.task[option]], int(seconds[option])
        if duration == 0:  # holds no cores
            continue
        interval = cp.new_optional_fixed_size_interval_var(
            start, duration, model.taken[option], f"run{option}"
        )
        by_processor[arrays.processor[option]].append((interval, int(arrays.cores[option])))
    for processor, entries in enumerate(by_processor):
        capacity = int(arrays.capacity[processor])
        intervals = [interval for interval, _ in entries]
        cores = [count for _, count in entries]
        if 2 * min(cores, default=1) > capacity:
            cp.add_no_overlap(intervals)
        elif intervals:
            cp.add_cumulative(intervals, cores, capacity)
            if pairs:
                _say_which_never_overlap(model, entries, capacity)


def _say_which_never_overlap(
    model: Model, entries: list[tuple[cp_model.IntervalVar, int]], capacity: int
) -> None:
    """Pairs too wide to run at once, said apart, so that the solver can branch on their order.

    The cumulative constraint implies it, but from that alone CP-SAT has raised bounds tick by tick.
    """
    pairs = [
        (first, second)
        for position, (first, cores) in enumerate(entries)
        for second, others in entries[:position]
        if cores + others > capacity
    ]
    if len(pairs) <= MOST_PAIRS:
        for pair in pairs:
            model.cp.add_no_overlap(pair)


def _add_transfers(model: Model) -> None:
    """A target starts after its source has ended and the data is there, for each option of the source.

    Said of the source's start plus its duration, not of its end: that propagates several times better
    where the end depends on the option.
    """
    cp, arrays = model.cp, model.arrays
    seconds = model.whole(arrays.seconds)
    places = [model.on_processor(task) for task in range(arrays.tasks)]
    for edge in range(arrays.edges):
        source, target = int(arrays.source[edge]), int(arrays.target[edge])
        begin, start = model.start[source], model.start[target]
        cp.add(start >= model.end[source])
        delays = arrays.delays(edge)
        ticks = model.whole(delays)
        for option in model.own(source):
            taken, here, done = (
                model.taken[option],
                int(arrays.processor[option]),
                begin + int(seconds[option]),
            )
            cp.add(start >= done).only_enforce_if(taken)
            away = [there for there in places[target] if there != here and np.isfinite(delays[here, there])]
            least = min((int(ticks[here, there]) for there in away), default=0)
            if least > 0:
                # One constraint says "leaving here takes at least this", instead of one for each pair.
                stays = [places[target][here].negated()] if here in places[target] else []
                cp.add(start >= done + least).only_enforce_if(taken, *stays)
            for there in away:
                delay = int(ticks[here, there])
                if delay > least:
                    cp.add(start >= done + delay).only_enforce_if(taken, places[target][there])
