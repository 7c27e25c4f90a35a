"""From a schedule's times to lanes: which tasks follow one another on which core.

A schedule says how many cores of a processor a task holds, and when; it does not say which. Colouring the intervals
of each processor gives every task as many lanes as it has cores, and with them an order that keeps the capacity
without a clock: a task starts after the last task of each of its lanes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hetero.run.program import Lane

__all__ = ["Interval", "Seat", "overlapping", "seat", "topological_by_start"]


@dataclass(frozen=True, slots=True)
class Interval:
    """When a task runs, what it holds, and whose values it takes."""

    name: str
    processor: str
    cores: int
    start_s: float
    end_s: float
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seat:
    """The lanes of a task, the one that it runs on first; ``after`` are the tasks that held them before."""

    lanes: tuple[Lane, ...]
    after: tuple[str, ...]


def topological_by_start(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The tasks by start time, parents first also where rounding puts a child a hair earlier."""
    tasks = tuple(intervals)
    position = {task.name: i for i, task in enumerate(tasks)}
    missing = [len(set(task.parents)) for task in tasks]
    children: list[list[int]] = [[] for _ in tasks]
    for i, task in enumerate(tasks):
        for parent in set(task.parents):
            children[position[parent]].append(i)
    ready = [(task.start_s, i) for i, task in enumerate(tasks) if not missing[i]]
    heapq.heapify(ready)
    order: list[Interval] = []
    while ready:
        _, i = heapq.heappop(ready)
        order.append(tasks[i])
        for child in children[i]:
            missing[child] -= 1
            if not missing[child]:
                heapq.heappush(ready, (tasks[child].start_s, child))
    return tuple(order)


def overlapping(order: Iterable[Interval]) -> bool:
    """Whether two tasks run at the same time; a task of zero seconds overlaps nothing."""
    busy_until = 0.0
    for task in order:
        if task.start_s < busy_until - _tolerance(busy_until) and task.end_s > task.start_s:
            return True
        busy_until = max(busy_until, task.end_s)
    return False


def seat(order: Iterable[Interval]) -> Mapping[str, Seat]:
    """Give each task, in this order, as many lanes of its processor as it holds cores, and at least one.

    Of the free lanes a task takes first those that its parents ran on, so that chains stay in one thread, then
    those that were used last.
    """
    free_at: dict[Lane, float] = {}
    last: dict[Lane, str] = {}
    seats: dict[str, Seat] = {}
    for task in order:
        own = [lane for lane in free_at if lane.processor == task.processor]
        free = [lane for lane in own if free_at[lane] <= task.start_s + _tolerance(task.start_s)]
        free.sort(key=lambda lane: (last[lane] not in task.parents, -free_at[lane], lane.index))
        wanted = max(task.cores, 1)
        new = (Lane(task.processor, len(own) + i) for i in range(wanted - len(free)))
        lanes = (*free[:wanted], *new)
        seats[task.name] = Seat(lanes, tuple(dict.fromkeys(last[lane] for lane in lanes if lane in last)))
        for lane in lanes:
            free_at[lane] = max(task.end_s, free_at.get(lane, 0.0))
            last[lane] = task.name
    return seats


def _tolerance(seconds: float) -> float:
    return 1e-9 * max(abs(seconds), 1e-3)  # schedules are exact to 1e-9 of their makespan
