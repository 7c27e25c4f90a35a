"""Which options are worth a solver's time: possible alone, and not beaten by another of the same task.

Dropping them first keeps every later model small and gives the clearest message where a task has none.
"""

from __future__ import annotations

from collections.abc import Sequence

from hetero.errors import InfeasibleError
from hetero.schedule.problem import Limits, Option, Problem, Processor, Task
from hetero.schedule.schedule import Objective

__all__ = ["UnusableTaskError", "usable_options"]

QUANTITIES = ("seconds", "joules", "dollars", "error", "memory_bytes")
MOST_TOLD = 4
OBJECTIVE_QUANTITY = {"energy": "joules", "cost": "dollars"}


class UnusableTaskError(InfeasibleError):
    """No option of a task can run even with the machine to itself. ``obstacles`` says of each of them why, in order."""

    def __init__(self, task: str, obstacles: Sequence[str]) -> None:
        super().__init__(task, obstacles)
        self.task, self.obstacles = task, obstacles

    def __str__(self) -> str:
        return self.naming([f"option {index}" for index in range(len(self.obstacles))])

    def naming(self, options: Sequence[object]) -> str:
        """The message, with other names for the options than their numbers."""
        told = zip(options[:MOST_TOLD], self.obstacles[:MOST_TOLD], strict=True)
        shown = "; ".join(f"{option} {obstacle}" for option, obstacle in told)
        more = len(self.obstacles) - MOST_TOLD
        return f"task {self.task!r} has no option that can run: {shown}" + (
            f"; and {more} more" if more > 0 else ""
        )


def usable_options(problem: Problem, objective: Objective, limits: Limits) -> list[list[int]]:
    """For each task, the numbers of its options that an optimal schedule may need.

    Raises `UnusableTaskError` where a task has no option that is possible even alone.
    """
    processors = {p.name: p for p in problem.processors}
    memory_counts = limits.memory_bytes is not None or any(
        p.memory_bytes is not None for p in problem.processors
    )
    compared = ["seconds", "cores", *(["memory_bytes"] if memory_counts else [])]
    compared += [
        name
        for name in ("joules", "dollars", "error")
        if getattr(limits, name) is not None or OBJECTIVE_QUANTITY.get(objective) == name
    ]
    return [_undominated(task, _possible(task, processors, limits), compared) for task in problem.tasks]


def _possible(task: Task, processors: dict[str, Processor], limits: Limits) -> list[int]:
    stated = [(name, limit) for name in QUANTITIES if (limit := getattr(limits, name)) is not None]
    reasons = [_obstacle(option, processors[option.processor], stated) for option in task.options]
    possible = [index for index, reason in enumerate(reasons) if reason is None]
    if not possible:
        raise UnusableTaskError(task.name, [reason for reason in reasons if reason is not None])
    return possible


def _obstacle(option: Option, processor: Processor, stated: list[tuple[str, float]]) -> str | None:
    """Why an option cannot run even with the machine to itself."""
    if option.cores > processor.cores and option.seconds > 0:
        return f"needs {option.cores} cores of {processor.name!r}, which has {processor.cores}"
    if processor.memory_bytes is not None and option.memory_bytes > processor.memory_bytes:
        over = option.memory_bytes - processor.memory_bytes
        return (
            f"needs {option.memory_bytes:g} bytes on {processor.name!r}, which has "
            f"{processor.memory_bytes:g}: {over:g} too many"
        )
    for name, limit in stated:
        value = getattr(option, name)
        if value > limit:
            return f"takes {value:g} {name}, {value - limit:g} over the limit of {limit:g}"
    return None


def _undominated(task: Task, possible: list[int], compared: list[str]) -> list[int]:
    """Options that no other option of the same processor matches or beats in everything that counts.

    Only the same processor: what another processor saves here may be lost again on transfers.
    """
    if len({task.options[index].processor for index in possible}) == len(possible):
        return possible
    kept: list[int] = []
    for index in sorted(possible, key=lambda i: [getattr(task.options[i], name) for name in compared]):
        option = task.options[index]
        if not any(_matches_or_beats(task.options[other], option, compared) for other in kept):
            kept.append(index)
    return sorted(kept)


def _matches_or_beats(first: Option, second: Option, compared: list[str]) -> bool:
    if first.processor != second.processor:
        return False
    if "memory_bytes" in compared and second.resident not in (None, first.resident):
        return False  # the second's memory may already be there for another task
    return all(getattr(first, name) <= getattr(second, name) for name in compared)
