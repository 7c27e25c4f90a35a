"""Throughput: the choice of options that keeps the busiest processor or link least busy.

In steady state many queries are in flight, so the order of tasks no longer matters: what counts is how
long one query occupies each processor and each link. Placements need not be contiguous. The period is a
fluid bound, which a pipelined execution approaches.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from hetero.schedule.arrays import Arrays
from hetero.schedule.bounds import SAFETY
from hetero.schedule.budget import Budget
from hetero.schedule.draft import Draft
from hetero.schedule.infeasible import NothingFitsError, explain
from hetero.schedule.latency import worst_case
from hetero.schedule.list_scheduling import fixed_options, portfolio
from hetero.schedule.loading import model_size, time_for_model
from hetero.schedule.measures import chosen_options, period_s
from hetero.schedule.pricing import GUIDED_FROM_TASKS, guided_by, prices_of
from hetero.schedule.problem import Limits, Problem
from hetero.schedule.repair import memory_binds, packed_by_solver

__all__ = ["load_bound", "shortest_period"]

PACKING_SHARE = 0.2
"""Of the time, for any choice that fits: with the period in its model CP-SAT may find none in all of it."""


def shortest_period(
    problem: Problem, arrays: Arrays, limits: Limits, budget: Budget
) -> tuple[Draft, float, float]:
    """The best draft found, its period, and a bound on the period."""

    def value(draft: Draft) -> float:
        in_time = limits.seconds is None or draft.makespan_s <= limits.seconds
        return _period(problem, arrays, draft) if in_time else math.inf

    bound = load_bound(arrays)
    drafts = [draft for draft in portfolio(arrays, limits, budget.until) if math.isfinite(value(draft))]
    if arrays.tasks >= GUIDED_FROM_TASKS:
        prices = prices_of(arrays, limits, budget, chains=False)
        bound = max(bound, 0.0 if prices is None else prices.bound(arrays))
        draft = guided_by(prices, arrays, limits, budget, value)
        drafts += [] if draft is None else [draft]
    if not drafts and memory_binds(arrays) and _time_for_exact(arrays, limits, budget):
        packed = packed_by_solver(arrays, limits, budget.effort(PACKING_SHARE)).draft
        drafts += [] if packed is None or math.isinf(value(packed)) else [packed]
    incumbent = min(drafts, key=value, default=None)
    if incumbent is not None:
        period = _period(problem, arrays, incumbent)
        if period <= bound * (1 + 1e-12) or not _time_for_exact(arrays, limits, budget):
            return incumbent, period, min(bound, period)
    return _exact(problem, arrays, limits, incumbent, bound, budget)


def load_bound(arrays: Arrays) -> float:
    """No period is shorter than all cores' work shared out perfectly, or than any one task's."""
    if arrays.tasks == 0:
        return 0.0
    work = arrays.seconds * arrays.cores
    shared = np.minimum.reduceat(work, arrays.first[:-1]).sum() / arrays.capacity.sum()
    alone = np.minimum.reduceat(work / arrays.capacity[arrays.processor], arrays.first[:-1]).max()
    return float(max(shared, alone)) * SAFETY


def _time_for_exact(arrays: Arrays, limits: Limits, budget: Budget) -> bool:
    if budget.steps is not None:
        return budget.steps > 0
    size = model_size(arrays, timed=limits.seconds is not None, links=True)
    return budget.left > 0 and time_for_model(size, budget.left)


def _exact(
    problem: Problem, arrays: Arrays, limits: Limits, incumbent: Draft | None, bound: float, budget: Budget
) -> tuple[Draft, float, float]:
    from hetero.schedule.exact import minimise_period

    known_s = math.inf if incumbent is None else _period(problem, arrays, incumbent)
    outcome = minimise_period(
        arrays,
        limits,
        incumbent=incumbent,
        horizon_s=worst_case(arrays),
        lower_s=bound,
        upper_s=known_s,
        effort=budget.effort(),
    )
    drafts = [draft for draft in (incumbent, outcome.draft) if draft is not None]
    if not drafts:
        raise NothingFitsError(partial(explain, problem, arrays, limits, budget, proven=outcome.infeasible))
    best = min(drafts, key=lambda draft: _period(problem, arrays, draft))
    period = _period(problem, arrays, best)
    if best is not incumbent and limits.seconds is None:
        best = fixed_options(arrays, best.option.tolist(), best.method)
    return best, period, min(period, max(bound, outcome.bound))


def _period(problem: Problem, arrays: Arrays, draft: Draft) -> float:
    period = period_s(problem, chosen_options(problem, arrays.index[draft.option].tolist()))
    assert math.isfinite(period), "drafts use existing links only"
    return period
