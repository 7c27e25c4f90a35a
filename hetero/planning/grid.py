"""Times on a grid: a problem is posed no more finely than its times are known.

Measured medians differ by a percent from one day to the next. Posed to their last digit they make a problem whose
optimum is hard to prove and worth nothing: which of two schedules is shorter by a millionth. So every time becomes a
multiple of one tick, a small part of the shortest makespan that there could be; the scheduler, which sees that all
times are multiples, then proves in milliseconds what would take it minutes.
"""

from __future__ import annotations

import math
from dataclasses import replace

from hetero.schedule.problem import Problem
from hetero.schedule.rules import topological_order

__all__ = ["longest_chain_s", "on_grid"]

PARTS = 2000
"""Ticks in the shortest makespan at least: twenty tasks in a row are off by a two-hundredth of it at the very most."""


def on_grid(problem: Problem) -> Problem:
    """The same problem with each option's seconds rounded to the nearest tick.

    >>> from hetero.schedule.problem import Option, Processor, Task
    >>> made = Problem((Processor("cpu"),), (Task("a", (Option("cpu", 0.0123456),)),))
    >>> on_grid(made).tasks[0].options[0].seconds
    0.012345
    """
    tick = tick_s(problem)
    if tick == 0.0:
        return problem
    digits = max(0, -math.floor(math.log10(tick)))

    def rounded(seconds: float) -> float:
        # A second rounding, in decimals: 3 * 1e-5 is not the float that is written 0.00003.
        return round(round(seconds / tick) * tick, digits)

    tasks = tuple(
        replace(task, options=tuple(replace(o, seconds=rounded(o.seconds)) for o in task.options))
        for task in problem.tasks
    )
    return replace(problem, tasks=tasks)


def tick_s(problem: Problem) -> float:
    """1, 2 or 5 times a power of ten seconds, at most the ``PARTS``-th part of the longest chain of shortest options;
    0 where nothing takes any time.

    >>> from hetero.schedule.problem import Option, Processor, Task
    >>> tick_s(Problem((Processor("cpu"),), (Task("a", (Option("cpu", 3.0),)),)))
    0.001
    """
    finest = longest_chain_s(problem) / PARTS
    if not finest > 0.0:
        return 0.0
    power = math.floor(math.log10(finest) + 1e-9)
    for factor in (5, 2):
        if (tick := float(f"{factor}e{power}")) <= finest:
            return tick
    return float(f"1e{power}")


def longest_chain_s(problem: Problem) -> float:
    """The longest path of tasks, each at its fastest, without transfers."""
    number = {task.name: place for place, task in enumerate(problem.tasks)}
    pairs = [(number[edge.source], number[edge.target]) for edge in problem.edges]
    before: list[list[int]] = [[] for _ in problem.tasks]
    for source, target in pairs:
        before[target].append(source)
    ends = [0.0] * len(problem.tasks)
    for task in topological_order(len(ends), pairs):
        fastest = min(option.seconds for option in problem.tasks[task].options)
        ends[task] = fastest + max((ends[source] for source in before[task]), default=0.0)
    return max(ends, default=0.0)
