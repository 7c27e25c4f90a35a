"""The shortest schedule: list schedulers first, then exact search, each only as long as a gap is left."""

from __future__ import annotations

import math

from hetero.errors import InfeasibleError
from hetero.schedule.arrays import Arrays
from hetero.schedule.bounds import quick_bound
from hetero.schedule.budget import Budget
from hetero.schedule.draft import Draft
from hetero.schedule.infeasible import explain
from hetero.schedule.list_scheduling import portfolio
from hetero.schedule.problem import Limits, Problem

__all__ = ["shortest"]


def shortest(problem: Problem, arrays: Arrays, limits: Limits, budget: Budget) -> tuple[Draft, float]:
    """The best draft found within limits, and a bound on its makespan."""
    bound = quick_bound(arrays)
    if math.isinf(bound):
        raise InfeasibleError(explain(problem, arrays, limits))
    incumbent = next(iter(portfolio(arrays, limits)), None)
    if incumbent is not None and (met(incumbent.makespan_s, bound) or budget.left == 0):
        within = limits.seconds is None or incumbent.makespan_s <= limits.seconds
        if within:
            return incumbent, bound
    return _exact(problem, arrays, limits, incumbent, bound, budget)


def met(value: float, bound: float) -> bool:
    """Whether nothing better than `value` can exist, up to rounding."""
    return value <= bound * (1 + 1e-12)


def _exact(
    problem: Problem, arrays: Arrays, limits: Limits, incumbent: Draft | None, bound: float, budget: Budget
) -> tuple[Draft, float]:
    from hetero.schedule.exact import minimise_makespan

    horizon = worst_case(arrays) if incumbent is None else incumbent.makespan_s
    outcome = minimise_makespan(
        arrays, limits, incumbent=incumbent, horizon_s=horizon, lower_s=bound, effort=budget.effort()
    )
    drafts = [draft for draft in (incumbent, outcome.draft) if draft is not None]
    if limits.seconds is not None:
        drafts = [draft for draft in drafts if draft.makespan_s <= limits.seconds * (1 + 1e-9)]
    if not drafts:
        raise InfeasibleError(explain(problem, arrays, limits, proven=outcome.infeasible))
    best = min(drafts, key=lambda draft: draft.makespan_s)
    return best, max(bound, min(outcome.bound, best.makespan_s))


def worst_case(arrays: Arrays) -> float:
    """A makespan that no schedule without idle waiting exceeds: everything one after the other."""
    total = 0.0
    for task in range(arrays.tasks):
        total += float(arrays.seconds[arrays.first[task] : arrays.first[task + 1]].max())
    for edge in range(arrays.edges):
        delays = arrays.delays(edge)
        total += float(delays[delays < math.inf].max(initial=0.0))
    return total
