"""What is minimised: makespan, a sum over options, the period, or the memory that is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hetero.schedule.arrays import Arrays, Floats, Ints
from hetero.schedule.draft import Draft
from hetero.schedule.effort import Effort, Outcome
from hetero.schedule.exact.choice import choice_model, limit_memory
from hetero.schedule.exact.model import Model, largest_sum
from hetero.schedule.exact.run import hint, run
from hetero.schedule.exact.timing import timed_model
from hetero.schedule.problem import Limits
from hetero.schedule.ticks import Ticks, all_delays, ticks_for

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

__all__ = ["least_overflow", "minimise_makespan", "minimise_period", "minimise_sum"]


def minimise_makespan(
    arrays: Arrays,
    limits: Limits,
    *,
    incumbent: Draft | None,
    horizon_s: float,
    lower_s: float,
    effort: Effort,
    prove: bool = False,
) -> Outcome:
    """The shortest schedule, starting from a valid one where there is one.

    `horizon_s` is a makespan that need not be exceeded; `lower_s` a bound already proven. To `prove`, all workers raise
    the bound and none looks for schedules.
    """
    model = timed_model(arrays, limits, horizon_s, lower_s)
    assert model.makespan is not None
    model.cp.minimize(model.makespan)
    if incumbent is not None:
        hint(model, incumbent)
    return run(model, effort, "cp-sat", unit=model.ticks, prove=prove)


def minimise_sum(
    arrays: Arrays,
    limits: Limits,
    quantity: Floats,
    *,
    incumbent: Draft | None,
    horizon_s: float,
    effort: Effort,
) -> Outcome:
    """The choice of options with the smallest sum of `quantity`, within limits.

    Without a limit on seconds the order of tasks does not matter and is left out of the model.
    """
    timed = limits.seconds is not None
    model = timed_model(arrays, limits, horizon_s) if timed else choice_model(arrays, limits)
    unit = ticks_for(quantity, largest_sum(arrays, quantity))
    model.cp.minimize(model.weighted(range(arrays.options), unit.whole(quantity)))
    if incumbent is not None:
        hint(model, incumbent)
    return run(model, effort, "cp-sat", unit=unit)


def minimise_period(
    arrays: Arrays,
    limits: Limits,
    *,
    incumbent: Draft | None,
    horizon_s: float,
    lower_s: float,
    upper_s: float,
    effort: Effort,
) -> Outcome:
    """The choice of options that keeps the busiest processor or link least busy, within limits.

    `upper_s` is a period that is known to be reached, else infinite: time is counted in parts of it, so that
    options which take far longer, and cannot be chosen, do not make the parts coarse.
    """
    timed = limits.seconds is not None
    model = timed_model(arrays, limits, horizon_s) if timed else choice_model(arrays, limits)
    share = arrays.seconds * arrays.cores / arrays.capacity[arrays.processor]
    transfers = all_delays(arrays, with_latency=False)
    most = largest_sum(arrays, share) + float(transfers[np.isfinite(transfers)].max(initial=0)) * arrays.edges
    most = min(most, upper_s)
    share, transfers = np.minimum(share, 2 * most), np.minimum(transfers, 2 * most)
    unit = ticks_for(np.concatenate([share, transfers]), most)
    period = model.cp.new_int_var(unit.at_least(lower_s), unit.at_most(most) + 1, "period")
    _bound_processors(model, unit.whole(share), period)
    _bound_links(model, unit, period, 2 * most)
    model.cp.minimize(period)
    if incumbent is not None:
        hint(model, incumbent)
    return run(model, effort, "cp-sat", unit=unit)


def least_overflow(arrays: Arrays, limits: Limits, seconds: float = 2.0) -> float | None:
    """The least bytes that are missing, summed over processors; None where that could not be proven."""
    model = choice_model(arrays, Limits(), memory=False)
    over = limit_memory(model, limits, overflow=True)
    if over is None:
        return 0.0
    unit, missing = over
    model.cp.minimize(sum(missing))
    outcome = run(model, Effort(seconds), "cp-sat", unit=unit)
    return None if outcome.draft is None else outcome.bound


def _bound_processors(model: Model, share: Ints, period: cp_model.IntVar) -> None:
    arrays = model.arrays
    for processor in range(arrays.processors):
        here = np.flatnonzero(arrays.processor == processor)
        model.cp.add(model.weighted(here, share[here]) <= period)


def _bound_links(model: Model, unit: Ticks, period: cp_model.IntVar, longest_s: float) -> None:
    """A tensor, known by its source and size, goes once over each link that it needs."""
    cp, arrays = model.cp, model.arrays
    tensors: dict[tuple[int, float], list[int]] = {}
    for edge in np.flatnonzero(arrays.nbytes > 0).tolist():
        tensors.setdefault((int(arrays.source[edge]), float(arrays.nbytes[edge])), []).append(edge)
    places = [model.on_processor(task) for task in range(arrays.tasks)]
    terms: dict[tuple[int, int], list[cp_model.LinearExprT]] = {}
    for (source, nbytes), edges in tensors.items():
        wanted: dict[int, list[cp_model.IntVar]] = {}
        for edge in edges:
            for there, on_there in places[arrays.target[edge]].items():
                wanted.setdefault(there, []).append(on_there)
        for here, on_here in places[source].items():
            for there, arriving in wanted.items():
                if here == there or not np.isfinite(arrays.latency[here, there]):
                    continue
                sent = cp.new_bool_var(f"sent{source}from{here}to{there}")
                for on_there in arriving:
                    cp.add_bool_or(on_here.negated(), on_there.negated(), sent)
                ticks = unit.whole(np.array([min(nbytes / arrays.rate[here, there], longest_s)]))
                terms.setdefault((here, there), []).append(int(ticks[0]) * sent)
    for pair in terms.values():
        cp.add(sum(pair) <= period)
