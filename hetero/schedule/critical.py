"""The critical path of a schedule: the chain of tasks, transfers and waits for cores that its length is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from hetero.schedule.measures import chosen_options
from hetero.schedule.problem import Problem
from hetero.schedule.schedule import Placement, Schedule

__all__ = ["Step", "critical_path"]

Because: TypeAlias = Literal["first", "data", "cores"]

_SLACK = 1e-9
"""Of the makespan: what a schedule's times may be off by."""


@dataclass(frozen=True, slots=True)
class Step:
    """A task of the path. It started when it did since it was the ``first``, or since then the ``data`` of the step
    before had arrived, after ``transfer_s`` seconds under way, or since then its ``cores`` came free."""

    name: str
    seconds: float
    because: Because
    transfer_s: float = 0.0


def critical_path(problem: Problem, schedule: Schedule) -> tuple[Step, ...]:
    """From the first task to the one that ends last; empty where there are no tasks.

    >>> from hetero.schedule import Edge, Option, Processor, Task, solve
    >>> made = Problem(
    ...     (Processor("cpu", 2),),
    ...     (Task("a", (Option("cpu", 1.0),)), Task("b", (Option("cpu", 2.0),)), Task("c", (Option("cpu", 0.5),))),
    ...     (Edge("a", "c"),),
    ... )
    >>> [step.name for step in critical_path(made, solve(made))]
    ['b']
    """
    if not schedule.tasks:
        return ()
    chosen = chosen_options(problem, [task.option for task in schedule.tasks])
    place = {task.name: option.processor for task, option in zip(schedule.tasks, chosen, strict=True)}
    placed = {task.name: task for task in schedule.tasks}
    links = {(link.source, link.target): link for link in problem.links}
    slack = _SLACK * schedule.makespan_s

    def transfer_s(source: str, target: str, nbytes: float) -> float:
        pair = place[source], place[target]
        if pair[0] == pair[1] or nbytes == 0:
            return 0.0
        return links[pair].latency_s + nbytes / links[pair].bytes_per_s

    def before(task: Placement) -> tuple[Placement | None, Because, float]:
        """What the task waited for, the data of a predecessor first."""
        if task.start_s <= slack:
            return None, "first", 0.0
        for edge in problem.edges:
            if edge.target == task.name:
                under_way = transfer_s(edge.source, task.name, edge.nbytes)
                if placed[edge.source].end_s + under_way >= task.start_s - slack:
                    return placed[edge.source], "data", under_way
        for other in schedule.tasks:
            beside = other.name not in seen and place[other.name] == place[task.name]
            if beside and abs(other.end_s - task.start_s) <= slack:
                return other, "cores", 0.0
        return None, "first", 0.0

    task: Placement | None = max(schedule.tasks, key=lambda each: each.end_s)
    seen: set[str] = set()
    steps: list[Step] = []
    while task is not None:
        seen.add(task.name)
        earlier, because, under_way = before(task)
        steps.append(Step(task.name, task.end_s - task.start_s, because, under_way))
        task = earlier if earlier is None or earlier.name not in seen else None
    return tuple(reversed(steps))
