"""What a choice of options amounts to: memory, sums and the steady-state period.

All read the Problem itself, not the solvers' arrays: they are what a schedule is verified against.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from hetero.schedule.problem import Option, Problem

__all__ = [
    "Additive",
    "active_joules",
    "busy_seconds",
    "chosen_options",
    "link_seconds",
    "memory_by_processor",
    "period_s",
    "total",
]

Additive = Literal["joules", "dollars", "error"]


def chosen_options(problem: Problem, choice: Sequence[int]) -> list[Option]:
    """The option of each task, in the order of the problem's tasks."""
    return [task.options[index] for task, index in zip(problem.tasks, choice, strict=True)]


def total(chosen: Sequence[Option], quantity: Additive) -> float:
    """The sum of a quantity over the chosen options, rounded once."""
    return math.fsum(getattr(option, quantity) for option in chosen)


def memory_by_processor(chosen: Sequence[Option]) -> dict[str, float]:
    """Resident bytes on each processor in use; a shared key counts once, at its largest size."""
    own: dict[str, list[float]] = defaultdict(list)
    shared: dict[tuple[str, str], float] = defaultdict(float)
    for option in chosen:
        if option.resident is None:
            own[option.processor].append(option.memory_bytes)
        else:
            key = (option.processor, option.resident)
            shared[key] = max(shared[key], option.memory_bytes)
    for (processor, _), nbytes in shared.items():
        own[processor].append(nbytes)
    return {processor: math.fsum(sizes) for processor, sizes in own.items()}


def active_joules(chosen: Sequence[Option]) -> dict[str, float]:
    """Joules of the work on each processor in use, without idle power."""
    parts: dict[str, list[float]] = defaultdict(list)
    for option in chosen:
        parts[option.processor].append(option.joules)
    return {processor: math.fsum(joules) for processor, joules in parts.items()}


def busy_seconds(problem: Problem, chosen: Sequence[Option]) -> dict[str, float]:
    """Core-seconds over cores for each processor: how long one query keeps it busy."""
    terms: dict[str, list[float]] = {processor.name: [] for processor in problem.processors}
    for option in chosen:
        terms[option.processor].append(option.seconds * option.cores)
    return {p.name: math.fsum(terms[p.name]) / p.cores for p in problem.processors}


def link_seconds(problem: Problem, chosen: Sequence[Option]) -> dict[tuple[str, str], float]:
    """How long one query keeps each used link busy; a pair without a link counts as infinite.

    A tensor is known by its source task and size, and travels once to each processor that needs it.
    """
    processor_of = {task.name: option.processor for task, option in zip(problem.tasks, chosen, strict=True)}
    tensors = {
        (edge.source, edge.nbytes, processor_of[edge.source], processor_of[edge.target])
        for edge in problem.edges
        if edge.nbytes > 0 and processor_of[edge.source] != processor_of[edge.target]
    }
    sizes: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _, nbytes, source, target in tensors:
        sizes[source, target].append(nbytes)
    rate = {(link.source, link.target): link.bytes_per_s for link in problem.links}
    return {
        pair: math.fsum(nbytes) / rate[pair] if pair in rate else math.inf for pair, nbytes in sizes.items()
    }


def period_s(problem: Problem, chosen: Sequence[Option]) -> float:
    """Seconds between results in steady state: the busiest processor or link (a fluid bound)."""
    return max([0.0, *busy_seconds(problem, chosen).values(), *link_seconds(problem, chosen).values()])
