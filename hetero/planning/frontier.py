"""The epsilon-constraint method: many plans, those kept that no other beats.

Source: Haimes, Lasdon and Wismer, "On a bicriterion formulation of the problems of integrated system identification and
system optimization", IEEE Trans. Systems, Man and Cybernetics 1 (1971), 296-297.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hetero.errors import InfeasibleError
from hetero.plans import Plan

__all__ = ["sweep"]


def value(plan: Plan, objective: str) -> float:
    """What a plan reaches in one objective."""
    estimate = plan.estimate
    return {"latency": estimate.seconds, "energy": estimate.joules, "cost": estimate.dollars}[objective]


def sweep(solve: Callable[[str, float | None], Plan], over: tuple[str, str], points: int) -> tuple[Plan, ...]:
    """Plans between the best in the first objective and the best in the second, sorted, without dominated ones."""
    first, second = solve(over[0], None), solve(over[1], None)
    found = [first, second]
    low, high = value(first, over[0]), value(second, over[0])
    for bound in np.linspace(low, high, points + 2)[1:-1] if high > low else ():
        try:
            found.append(solve(over[1], float(bound)))
        except InfeasibleError:
            # The limit is on the prediction with contention, which the problem does not see: no plan at this point.
            continue
    return _undominated(found, over)


def _undominated(plans: list[Plan], over: tuple[str, str]) -> tuple[Plan, ...]:
    kept: list[Plan] = []
    for plan in sorted(plans, key=lambda p: (value(p, over[0]), value(p, over[1]))):
        if not kept or value(plan, over[1]) < value(kept[-1], over[1]):
            kept.append(plan)
    return tuple(kept)
