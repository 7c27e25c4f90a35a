"""The prices of what is scarce, and what list scheduling makes of them, where the budget has time for either."""

from __future__ import annotations

import math
from collections.abc import Callable

from hetero.schedule.arrays import Arrays, Floats
from hetero.schedule.budget import Budget
from hetero.schedule.clock import now
from hetero.schedule.draft import Draft
from hetero.schedule.guided import guided
from hetero.schedule.loading import LINEAR_PROGRAMS, loading_s
from hetero.schedule.problem import Limits
from hetero.schedule.tradeoff import Multipliers, multipliers

__all__ = ["GUIDED_FROM_TASKS", "guided_by", "prices_of"]

UP_TO_SIZE = 20_000
"""Options and edges up to which the linear program of chains and load together takes well under a second."""

SIZE_PER_SECOND = 20_000
"""Of it, somewhat less than is written down and solved in a second: less time is not worth beginning."""

LINEAR_SHARE = 0.4
GUIDED_SHARE = 0.3
"""Of the time that is left, at most for the linear program, and for the list schedules that follow its prices."""

GUIDED_FROM_TASKS = 30
"""Below, exact search is as fast."""


def prices_of(
    arrays: Arrays, limits: Limits, budget: Budget, minimised: Floats | None = None, *, chains: bool = True
) -> Multipliers | None:
    """See `multipliers`; None also where the problem is too large for the time."""
    size = arrays.options + arrays.edges
    if size > UP_TO_SIZE or budget.left == 0:
        return None
    if budget.steps is not None:
        return multipliers(arrays, limits, minimised, chains=chains)
    if budget.left <= loading_s(LINEAR_PROGRAMS) + size / SIZE_PER_SECOND:
        return None
    return multipliers(arrays, limits, minimised, chains=chains, seconds=LINEAR_SHARE * budget.left)


def guided_by(
    prices: Multipliers | None,
    arrays: Arrays,
    limits: Limits,
    budget: Budget,
    value: Callable[[Draft], float],
) -> Draft | None:
    """The list schedule of the least value that follows the prices; None without prices, or for few tasks."""
    if prices is None or arrays.tasks < GUIDED_FROM_TASKS:
        return None
    until = math.inf if budget.steps is not None else now() + GUIDED_SHARE * budget.left
    return guided(arrays, limits, prices.toll, value, until)
