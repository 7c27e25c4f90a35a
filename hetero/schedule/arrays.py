"""A problem as flat arrays: the form that every algorithm here reads.

Options are numbered through all tasks (`first[t] .. first[t + 1]` are those of task `t`), edges likewise
from both ends, so that a pass over the graph is a pass over contiguous integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hetero.schedule.problem import Option, Problem
from hetero.schedule.rules import topological_order

__all__ = ["Arrays", "Floats", "Ints", "to_arrays"]

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Arrays:
    """Sizes: n tasks, k usable options, m edges, p processors.

    `index` is an option's number within its task in the problem; `key` numbers the distinct
    (processor, resident) pairs, -1 where memory is not shared. Pairs of processors without a link have
    infinite latency. `order` is topological.
    """

    first: Ints  # n + 1
    task: Ints  # k, as are the next nine
    index: Ints
    processor: Ints
    seconds: Floats
    cores: Ints
    memory: Floats
    joules: Floats
    dollars: Floats
    error: Floats
    key: Ints
    source: Ints  # m, as are the next two
    target: Ints
    nbytes: Floats
    incoming_first: Ints  # n + 1
    incoming: Ints  # m edge numbers, by target
    outgoing_first: Ints  # n + 1
    outgoing: Ints  # m edge numbers, by source
    order: Ints  # n
    capacity: Ints  # p
    memory_capacity: Floats  # p, infinite where there is no limit
    latency: Floats  # p x p
    rate: Floats  # p x p, bytes per second

    @property
    def tasks(self) -> int:
        return len(self.first) - 1

    @property
    def options(self) -> int:
        return len(self.task)

    @property
    def edges(self) -> int:
        return len(self.source)

    @property
    def processors(self) -> int:
        return len(self.capacity)

    def only(self, kept: npt.NDArray[np.bool_]) -> Arrays:
        """The same problem with only the options marked in `kept`; each task must keep one."""
        per_option = (
            "task",
            "index",
            "processor",
            "seconds",
            "cores",
            "memory",
            "joules",
            "dollars",
            "error",
        )
        counts = np.bincount(self.task[kept], minlength=self.tasks)
        return replace(
            self,
            first=_ints(np.concatenate([[0], np.cumsum(counts)])),
            key=self.key[kept],
            **{name: getattr(self, name)[kept] for name in per_option},
        )

    def delays(self, edge: int) -> Floats:
        """p x p seconds that an edge's data takes between processors; infinite where it cannot go."""
        if self.nbytes[edge] == 0:
            return np.zeros_like(self.latency)
        delays: Floats = self.latency + self.nbytes[edge] / self.rate
        np.fill_diagonal(delays, 0.0)
        return delays


def to_arrays(problem: Problem, usable: list[list[int]]) -> Arrays:
    """The arrays of a problem in which task `t` has only the options `usable[t]`."""
    processor_number = {p.name: number for number, p in enumerate(problem.processors)}
    task_number = {t.name: number for number, t in enumerate(problem.tasks)}
    rows = [(t, i, problem.tasks[t].options[i]) for t, chosen in enumerate(usable) for i in chosen]
    options = [option for _, _, option in rows]
    source = _ints([task_number[e.source] for e in problem.edges])
    target = _ints([task_number[e.target] for e in problem.edges])
    incoming_first, incoming = _group(target, len(problem.tasks))
    outgoing_first, outgoing = _group(source, len(problem.tasks))
    latency, rate = _links(problem, processor_number)
    return Arrays(
        first=_ints(np.concatenate([[0], np.cumsum([len(chosen) for chosen in usable])])),
        task=_ints([t for t, _, _ in rows]),
        index=_ints([i for _, i, _ in rows]),
        processor=_ints([processor_number[o.processor] for o in options]),
        seconds=_floats([o.seconds for o in options]),
        cores=_ints([o.cores for o in options]),
        memory=_floats([o.memory_bytes for o in options]),
        joules=_floats([o.joules for o in options]),
        dollars=_floats([o.dollars for o in options]),
        error=_floats([o.error for o in options]),
        key=_resident_keys(options),
        source=source,
        target=target,
        nbytes=_floats([e.nbytes for e in problem.edges]),
        incoming_first=incoming_first,
        incoming=incoming,
        outgoing_first=outgoing_first,
        outgoing=outgoing,
        order=_ints(
            topological_order(len(problem.tasks), list(zip(source.tolist(), target.tolist(), strict=True)))
        ),
        capacity=_ints([p.cores for p in problem.processors]),
        memory_capacity=_floats(
            [math.inf if p.memory_bytes is None else p.memory_bytes for p in problem.processors]
        ),
        latency=latency,
        rate=rate,
    )


def _ints(values: object) -> Ints:
    return np.array(values, dtype=np.int64)


def _floats(values: object) -> Floats:
    return np.array(values, dtype=np.float64)


def _group(ends: Ints, tasks: int) -> tuple[Ints, Ints]:
    """Edge numbers grouped by the task at one of their ends."""
    first = np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=tasks))])
    return _ints(first), _ints(np.argsort(ends, kind="stable"))


def _links(problem: Problem, number: dict[str, int]) -> tuple[Floats, Floats]:
    count = len(number)
    latency = np.full((count, count), math.inf)
    rate = np.ones((count, count))
    for link in problem.links:
        pair = number[link.source], number[link.target]
        latency[pair], rate[pair] = link.latency_s, link.bytes_per_s
    np.fill_diagonal(latency, 0.0)
    return latency, rate


def _resident_keys(options: list[Option]) -> Ints:
    pairs = dict.fromkeys((o.processor, o.resident) for o in options if o.resident is not None)
    number = {pair: position for position, pair in enumerate(pairs)}
    return _ints([-1 if o.resident is None else number[o.processor, o.resident] for o in options])
