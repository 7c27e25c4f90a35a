"""Schedules for task graphs on mixed hardware, each with a proven lower bound.

>>> from hetero.schedule import Option, Problem, Processor, Task, solve
>>> problem = Problem(
...     processors=(Processor("cpu"), Processor("gpu")),
...     tasks=(Task("a", (Option("cpu", 2.0), Option("gpu", 1.0))),),
... )
>>> schedule = solve(problem)
>>> schedule.makespan_s, schedule.proven_optimal
(1.0, True)

Importing this package needs NumPy only: OR-Tools, SciPy and Numba are loaded by the first problem that
needs them. The functions `solve` and `verify` have the names of their modules on purpose, and are
imported here eagerly so that these names always mean the functions.
"""

from hetero.schedule.frontier import Frontier, frontier
from hetero.schedule.problem import Edge, Limits, Link, Option, Problem, Processor, Task
from hetero.schedule.schedule import Placement, Schedule
from hetero.schedule.solve import solve
from hetero.schedule.verify import verify, violations

__all__ = [
    "Edge",
    "Frontier",
    "Limits",
    "Link",
    "Option",
    "Placement",
    "Problem",
    "Processor",
    "Schedule",
    "Task",
    "frontier",
    "solve",
    "verify",
    "violations",
]
