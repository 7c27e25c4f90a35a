"""Energy and cost: the smallest sum over the chosen options, then the shortest schedule with that sum."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from hetero.errors import InfeasibleError
from hetero.schedule.arrays import Arrays, Floats
from hetero.schedule.bounds import SAFETY
from hetero.schedule.budget import Budget
from hetero.schedule.draft import Draft
from hetero.schedule.effort import Outcome
from hetero.schedule.infeasible import NothingFitsError, explain
from hetero.schedule.latency import shortest, worst_case
from hetero.schedule.list_scheduling import fixed_options
from hetero.schedule.loading import (
    CP_SAT,
    LINEAR_PROGRAMS,
    SMALL_KERNEL,
    loading_s,
    model_size,
    time_for_model,
)
from hetero.schedule.pricing import GUIDED_FROM_TASKS, guided_by, prices_of
from hetero.schedule.problem import Limits, Problem

__all__ = ["smallest_sum"]

FEW_TASKS = 24
FEW_TASKS_S = 0.03
"""For the shortest schedule among those of the least sum, and for a first one: few tasks are not kept waiting."""


def smallest_sum(
    problem: Problem, arrays: Arrays, limits: Limits, quantity: Floats, budget: Budget
) -> tuple[Draft, float]:
    """A draft of the least sum of `quantity` (of equal ones, the shortest found), and a bound on the sum."""
    cheapest, bound = _each_task_at_its_least(arrays, quantity)
    try:
        # Often nothing couples the tasks; then the least of each is the least of all.
        draft, _ = shortest(problem, cheapest, limits, _for_the_order(arrays, budget.part(0.4)))
    except InfeasibleError:
        return _coupled(problem, arrays, limits, quantity, bound, budget)
    return _in(arrays, cheapest, draft), bound


def _for_the_order(arrays: Arrays, budget: Budget) -> Budget:
    if arrays.tasks > FEW_TASKS or budget.steps is not None:
        return budget
    loading = loading_s(LINEAR_PROGRAMS, SMALL_KERNEL, CP_SAT)
    return Budget(min(budget.seconds, FEW_TASKS_S + loading), None, budget.seed)


def _within(limits: Limits, quantity: Floats) -> Callable[[Draft], float]:
    """The sum of a draft, infinite where it takes too long."""
    longest = math.inf if limits.seconds is None else limits.seconds

    def value(draft: Draft) -> float:
        return float(quantity[draft.option].sum()) if draft.makespan_s <= longest else math.inf

    return value


def _valid(problem: Problem, arrays: Arrays, limits: Limits, budget: Budget) -> Draft:
    """What a solver that runs out of time falls back on. Raises where nothing fits."""
    part = budget.part(0.2)
    short = _for_the_order(arrays, part)
    try:
        return shortest(problem, arrays, limits, short)[0]
    except InfeasibleError:
        if short is part:
            raise
        return shortest(problem, arrays, limits, budget.part(0.2))[0]  # not in a moment, then


def _each_task_at_its_least(arrays: Arrays, quantity: Floats) -> tuple[Arrays, float]:
    """The problem with only each task's cheapest options, and the sum of these."""
    if arrays.tasks == 0:
        return arrays, 0.0
    least = np.minimum.reduceat(quantity, arrays.first[:-1])
    return arrays.only(quantity <= least[arrays.task]), float(least.sum()) * SAFETY


def _in(arrays: Arrays, part: Arrays, draft: Draft) -> Draft:
    """A draft of a part of the options, in the numbers of all of them."""
    number = {
        (t, i): k for k, (t, i) in enumerate(zip(arrays.task.tolist(), arrays.index.tolist(), strict=True))
    }
    chosen = zip(part.task[draft.option].tolist(), part.index[draft.option].tolist(), strict=True)
    return Draft.of(
        arrays, np.array([number[pair] for pair in chosen], dtype=np.int64), draft.start_s, draft.method
    )


def _coupled(
    problem: Problem, arrays: Arrays, limits: Limits, quantity: Floats, bound: float, budget: Budget
) -> tuple[Draft, float]:
    prices = prices_of(arrays, limits, budget, quantity) if arrays.tasks >= GUIDED_FROM_TASKS else None
    if prices is not None:
        bound = max(bound, prices.bound(arrays))
    valid = guided_by(prices, arrays, limits, budget, _within(limits, quantity))
    if valid is None:
        try:
            valid = _valid(problem, arrays, limits, budget)
        except NothingFitsError as error:
            if error.proven:
                raise
    outcome = _exact(arrays, limits, quantity, valid, budget)
    draft = min(
        (found for found in (outcome.draft, valid) if found is not None),
        key=lambda found: float(quantity[found.option].sum()),
        default=None,
    )
    if draft is None:
        why = partial(explain, problem, arrays, limits, budget, proven=outcome.infeasible)
        raise NothingFitsError(why, proven=outcome.infeasible)
    chosen = arrays.only(np.isin(np.arange(arrays.options), draft.option))
    if limits.seconds is None:
        draft = fixed_options(arrays, draft.option.tolist(), draft.method)
    shorter, _ = shortest(problem, chosen, Limits(), _for_the_order(arrays, budget.part(1.0)))
    if shorter.makespan_s < draft.makespan_s:
        draft = _in(arrays, chosen, shorter)
    return draft, max(bound, outcome.bound)


def _exact(arrays: Arrays, limits: Limits, quantity: Floats, valid: Draft | None, budget: Budget) -> Outcome:
    """CP-SAT's choice, where the budget has time for its model; without a valid draft it may find the first one."""
    size = model_size(arrays, timed=limits.seconds is not None)
    if budget.steps is None and not time_for_model(size, budget.left):
        return Outcome(None, 0.0)
    from hetero.schedule.exact import minimise_sum

    return minimise_sum(
        arrays, limits, quantity, incumbent=valid, horizon_s=worst_case(arrays), effort=budget.effort(0.7)
    )
