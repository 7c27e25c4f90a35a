"""A CP-SAT model under construction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hetero.schedule.arrays import Arrays, Floats, Ints
from hetero.schedule.ticks import Ticks

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

__all__ = ["Model", "largest_sum"]


@dataclass(slots=True, eq=False)
class Model:
    """The variables that constraints refer to; without times, only `taken` is there."""

    cp: cp_model.CpModel
    arrays: Arrays
    ticks: Ticks
    taken: list[cp_model.IntVar]  # a Boolean for each option
    start: list[cp_model.IntVar]
    end: list[cp_model.IntVar]
    makespan: cp_model.IntVar | None = None
    horizon_s: float = np.inf

    def whole(self, seconds: Floats) -> Ints:
        """Times in ticks, all that is longer than the horizon cut to one length that is too long as well.

        Uncut, an option of seconds beside a schedule of microseconds would overflow the solver's integers.
        """
        return self.ticks.whole(np.minimum(seconds, 2 * self.horizon_s + 1 / self.ticks.per_unit))

    def own(self, task: int) -> range:
        """The options of a task."""
        return range(int(self.arrays.first[task]), int(self.arrays.first[task + 1]))

    def weighted(self, options: range | Ints, weights: Ints) -> cp_model.LinearExpr:
        """The sum of the weights of those of the options that are taken."""
        from ortools.sat.python import cp_model

        return cp_model.LinearExpr.weighted_sum([self.taken[o] for o in options], weights.tolist())

    def on_processor(self, task: int) -> dict[int, cp_model.IntVar]:
        """For each processor that a task can use, a Boolean that says whether it does."""
        groups: dict[int, list[cp_model.IntVar]] = {}
        for option in self.own(task):
            groups.setdefault(int(self.arrays.processor[option]), []).append(self.taken[option])
        result = {}
        for processor, taken in groups.items():
            if len(taken) == 1:
                result[processor] = taken[0]
            else:
                result[processor] = self.cp.new_bool_var(f"task{task}on{processor}")
                self.cp.add(sum(taken) == result[processor])
        return result


def largest_sum(arrays: Arrays, values: Floats) -> float:
    """What a quantity of the options can add up to."""
    if arrays.tasks == 0:
        return 0.0
    return float(np.maximum.reduceat(values, arrays.first[:-1]).sum())
