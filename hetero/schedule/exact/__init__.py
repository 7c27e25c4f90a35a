"""CP-SAT: the best schedule for small problems with its proof, and a good one for larger ones.

The model is the usual one of optional intervals: a Boolean for each option (`choice`), one interval for each
option that takes time, cumulative cores for each processor, and a transfer time on an edge that depends on
where its two ends run (`timing`), with rows that say how much work fits between heads and tails (`windows`).
Times are whole ticks, rounded down (see `hetero.schedule.ticks`), so that the solver's bound holds for the
true problem; the schedule is rebuilt from the solution in exact seconds (`run`).

OR-Tools is loaded by the first problem that is solved, not by importing this package.
"""

from hetero.schedule.exact.objectives import (
    least_overflow,
    minimise_makespan,
    minimise_period,
    minimise_sum,
)
from hetero.schedule.exact.part import shorten_part

__all__ = ["least_overflow", "minimise_makespan", "minimise_period", "minimise_sum", "shorten_part"]
