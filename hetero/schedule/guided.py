"""List schedules that look ahead at what is scarce: energy, money or error under a limit, and the time of processors.

HEFT takes for each task where it ends first, and runs into a limit on a sum like into a wall: the first tasks use up
what the last ones would have needed. Here each option's end is judged together with what the option costs more than
its task's cheapest one, in the prices of the linear program of chains, load and limits (`hetero.schedule.tradeoff`).
How much these prices weigh beside a task's own end is tried out, since one task's end is not the makespan.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from hetero.schedule.arrays import Arrays, Floats
from hetero.schedule.clock import now
from hetero.schedule.draft import Draft
from hetero.schedule.list_scheduling import place_all
from hetero.schedule.problem import Limits
from hetero.schedule.ranks import upward_rank

__all__ = ["guided"]

WEIGHTS = range(12, -3, -1)
"""Powers of two, times what makes the mean regret as long as the mean task: from nearly the cheapest only to HEFT."""

CLOSER = (0.5, -0.5, 0.25, -0.25)
"""Steps around the best power, one after the other."""


def guided(
    arrays: Arrays,
    limits: Limits,
    toll: Floats,
    value: Callable[[Draft], float],
    until: float = math.inf,
) -> Draft | None:
    """The draft of the least `value`, which is infinite for one that does not count; None where there is none.

    `toll` is what each option costs. After `until`, in the time of `hetero.schedule.clock`, no further weight is tried.
    """
    if arrays.tasks == 0:
        return None
    regret = toll - np.minimum.reduceat(toll, arrays.first[:-1])[arrays.task]
    if not regret.mean() > 0:
        return None
    unit = float(arrays.seconds.mean() / regret.mean())
    priority = upward_rank(arrays)
    best: Draft | None = None
    best_value, best_power = math.inf, 0.0

    def attempt(power: float) -> None:
        nonlocal best, best_value, best_power
        if math.isfinite(until) and now() >= until:
            return
        charged = 2.0**power * unit * regret
        draft = place_all(
            arrays, limits, priority, lambda builder, task: builder.earliest_finish(task, charged), "guided"
        )
        if draft is not None and (reached := value(draft)) < best_value:
            best, best_value, best_power = draft, reached, power

    for power in WEIGHTS:
        attempt(power)
    for step in CLOSER:
        attempt(best_power + step)
    return best
