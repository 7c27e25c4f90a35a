"""Three plain ways to place a graph on processors whose memory is tight: makespans, or None at a dead end.

All start tasks in decreasing upward rank, as early as the data is there and the processor has a gap. They differ in
where a task goes, of the processors that still have room for its weights: where it ends first (HEFT), on the first one
(greedy), or on the one that is being filled, which is never returned to (contiguous). Processors have one core.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Iterable
from itertools import pairwise

from hetero.schedule import Option, Problem

__all__ = ["RIVALS"]


class Filling:
    """A schedule under construction."""

    def __init__(self, problem: Problem) -> None:
        self.options = {task.name: task.options for task in problem.tasks}
        self.reads: dict[str, list[tuple[str, float]]] = {task.name: [] for task in problem.tasks}
        for edge in problem.edges:
            self.reads[edge.target].append((edge.source, edge.nbytes))
        self.links = {(link.source, link.target): link for link in problem.links}
        self.room = {
            p.name: math.inf if p.memory_bytes is None else p.memory_bytes for p in problem.processors
        }
        self.resident: set[tuple[str, str]] = set()
        self.busy: dict[str, list[tuple[float, float]]] = {p.name: [] for p in problem.processors}
        self.end: dict[str, tuple[str, float]] = {}

    def fits(self, option: Option) -> bool:
        return self._new_bytes(option) <= self.room[option.processor]

    def start(self, task: str, option: Option) -> float:
        """The earliest gap after the data of all predecessors has arrived."""
        ready = 0.0
        for source, nbytes in self.reads[task]:
            home, end = self.end[source]
            if home != option.processor and nbytes > 0:
                link = self.links[home, option.processor]
                end += link.latency_s + nbytes / link.bytes_per_s
            ready = max(ready, end)
        for (_, before), (after, _) in pairwise(
            [(0.0, 0.0), *self.busy[option.processor], (math.inf, math.inf)]
        ):
            if max(ready, before) + option.seconds <= after:
                return max(ready, before)
        raise AssertionError("there is always room after the last task")

    def put(self, task: str, option: Option) -> None:
        start = self.start(task, option)
        self.room[option.processor] -= self._new_bytes(option)
        if option.resident is not None:
            self.resident.add((option.processor, option.resident))
        insort(self.busy[option.processor], (start, start + option.seconds))
        self.end[task] = option.processor, start + option.seconds

    def _new_bytes(self, option: Option) -> float:
        shared = option.resident is not None and (option.processor, option.resident) in self.resident
        return 0.0 if shared else option.memory_bytes


def by_upward_rank(problem: Problem) -> list[str]:
    """Tasks by decreasing mean way to the end; tasks of no time keep the order of the edges."""
    follow: dict[str, list[tuple[str, float]]] = {task.name: [] for task in problem.tasks}
    for edge in problem.edges:
        follow[edge.source].append((edge.target, edge.nbytes))
    latency = sum(link.latency_s for link in problem.links) / max(1, len(problem.links))
    per_byte = sum(1 / link.bytes_per_s for link in problem.links) / max(1, len(problem.links))
    mean = {task.name: sum(o.seconds for o in task.options) / len(task.options) for task in problem.tasks}
    rank: dict[str, float] = {}
    order = topological(problem)
    for task in reversed(order):
        ways = (
            rank[after] + (latency + nbytes * per_byte if nbytes else 0.0) for after, nbytes in follow[task]
        )
        rank[task] = mean[task] + max(ways, default=0.0)
    return sorted(order, key=lambda task: -rank[task])


def topological(problem: Problem) -> list[str]:
    from graphlib import TopologicalSorter

    reads: dict[str, list[str]] = {task.name: [] for task in problem.tasks}
    for edge in problem.edges:
        reads[edge.target].append(edge.source)
    return list(TopologicalSorter(reads).static_order())


def heft(problem: Problem) -> float | None:
    def choose(filling: Filling, task: str, fitting: list[Option]) -> Option:
        return min(fitting, key=lambda option: filling.start(task, option) + option.seconds)

    return filled(problem, by_upward_rank(problem), choose)


def greedy(problem: Problem) -> float | None:
    return filled(problem, by_upward_rank(problem), lambda _filling, _task, fitting: fitting[0])


def contiguous(problem: Problem) -> float | None:
    number = {processor.name: position for position, processor in enumerate(problem.processors)}
    current = 0

    def choose(_filling: Filling, _task: str, fitting: list[Option]) -> Option:
        nonlocal current
        ahead = [option for option in fitting if number[option.processor] >= current]
        chosen = min(ahead or fitting, key=lambda option: number[option.processor])
        current = max(current, number[chosen.processor])
        return chosen

    return filled(problem, by_upward_rank(problem), choose)


def filled(
    problem: Problem, order: Iterable[str], choose: Callable[[Filling, str, list[Option]], Option]
) -> float | None:
    filling = Filling(problem)
    for task in order:
        fitting = [option for option in filling.options[task] if filling.fits(option)]
        if not fitting:
            return None
        filling.put(task, choose(filling, task, fitting))
    return max((end for _, end in filling.end.values()), default=0.0)


RIVALS: dict[str, Callable[[Problem], float | None]] = {
    "heft": heft,
    "greedy": greedy,
    "contiguous": contiguous,
}
