"""From a problem to the best schedule that the budget allows, verified, with its bound."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hetero.errors import UnknownNameError
from hetero.schedule.arrays import Arrays, to_arrays
from hetero.schedule.budget import Budget
from hetero.schedule.draft import Draft
from hetero.schedule.problem import Limits, Problem
from hetero.schedule.rules import check_limits
from hetero.schedule.schedule import OBJECTIVES, Objective, Placement, Schedule
from hetero.schedule.usable import usable_options
from hetero.schedule.verify import verify

__all__ = ["solve"]

PROVEN = 1e-9  # a gap that is no gap: what a schedule may be off by
NOISE = 1e-12  # a gap that is only the rounding of a bound that meets its value


def solve(
    problem: Problem,
    *,
    objective: Objective = "latency",
    limits: Limits | None = None,
    budget_seconds: float = 10.0,
    steps: int | None = None,
    seed: int = 0,
) -> Schedule:
    """The best schedule found for the objective, within the problem's limits and those given here.

    `budget_seconds` bounds the wall clock, but for the compilation of the search at its first use on a
    machine (`hetero.schedule.clock`); `steps` bounds the work instead, so that the same steps and
    seed give the same schedule. Whatever is left of either, solving ends when the optimum is proven.

    Raises `InfeasibleError` where nothing fits, naming the limit that binds and by how much.
    """
    if objective not in OBJECTIVES:
        raise UnknownNameError("objective", objective, OBJECTIVES)
    budget = Budget(budget_seconds, steps, seed)
    limits = problem.limits.merged(limits)
    check_limits(limits)
    arrays = to_arrays(problem, usable_options(problem, objective, limits))
    found = _find(problem, arrays, objective, limits, budget)
    schedule = _schedule(problem, arrays, objective, found)
    verify(problem, schedule, limits)
    return schedule


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A draft with the objective's value and a proven bound on it."""

    draft: Draft
    value: float
    bound: float


def _find(problem: Problem, arrays: Arrays, objective: Objective, limits: Limits, budget: Budget) -> Found:
    if objective == "latency":
        from hetero.schedule.latency import shortest

        draft, bound = shortest(problem, arrays, limits, budget)
        return Found(draft, draft.makespan_s, bound)
    if objective == "throughput":
        from hetero.schedule.steady_state import shortest_period

        draft, period, bound = shortest_period(problem, arrays, limits, budget)
        return Found(draft, period, bound)
    from hetero.schedule.sums import smallest_sum

    quantity = arrays.joules if objective == "energy" else arrays.dollars
    draft, bound = smallest_sum(problem, arrays, limits, quantity, budget)
    return Found(draft, math.fsum(quantity[draft.option]), bound)


def _schedule(problem: Problem, arrays: Arrays, objective: Objective, found: Found) -> Schedule:
    draft, value = found.draft, found.value
    placements = tuple(
        Placement(task.name, int(arrays.index[option]), float(start), float(start + arrays.seconds[option]))
        for task, option, start in zip(problem.tasks, draft.option, draft.start_s, strict=True)
    )
    bound = value if found.bound >= value * (1 - NOISE) else found.bound
    return Schedule(
        objective=objective,
        tasks=placements,
        makespan_s=max((placement.end_s for placement in placements), default=0.0),
        objective_value=value,
        lower_bound=bound,
        proven_optimal=bound >= value * (1 - PROVEN),
        method=draft.method,
    )
