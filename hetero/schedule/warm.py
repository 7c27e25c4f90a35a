"""Compile the searches before they are needed: python -m hetero.schedule.warm

Numba keeps what it compiles beside the source (or in NUMBA_CACHE_DIR), so that once a machine is enough: `make venv`
does it, and an image that solves problems should do it while it is built.
"""

from __future__ import annotations

import random

from hetero.schedule.problem import Edge, Option, Problem, Processor, Task
from hetero.schedule.solve import solve

__all__ = ["warm"]

SMALL, LARGE = 12, 60
"""Tasks: few enough for the branch and bound, and enough for the tabu search."""


def warm() -> None:
    """Solve a problem for each search, on which no list schedule is optimal. Takes 20 to 30 s the first time."""
    for problem in (random_problem(SMALL), random_problem(LARGE), random_problem(LARGE, moldable=True)):
        solve(problem, budget_seconds=1.0)


def random_problem(tasks: int, *, moldable: bool = False) -> Problem:
    """Unrelated processors and a random graph, the same every time; `moldable` tasks take one to four cores."""
    draw = random.Random(0)
    processors = tuple(Processor(f"p{i}", cores=4 if moldable else 1) for i in range(3))
    counts = (1, 2, 4) if moldable else (1,)
    options = [
        tuple(
            Option(processor.name, seconds=draw.uniform(1, 9) / count**0.7, cores=count)
            for processor in processors
            for count in counts
        )
        for _ in range(tasks)
    ]
    edges = tuple(Edge(f"t{draw.randrange(i)}", f"t{i}", nbytes=0) for i in range(1, tasks))
    return Problem(processors, tuple(Task(f"t{i}", own) for i, own in enumerate(options)), edges)


if __name__ == "__main__":
    warm()
