"""List scheduling of very large graphs: compiled, from a dense matrix of costs.

HEFT (https://doi.org/10.1109/71.993206) with one change: a task goes to the end of a processor's queue and
never into a gap, which makes the work for each task independent of how many came before it. Memory beside
the costs is a few numbers for each task.

This module imports Numba at its top; import it only where a graph is large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from hetero.schedule.arrays import Floats, Ints

__all__ = ["DenseSchedule", "list_schedule"]


@dataclass(frozen=True, slots=True, eq=False)
class DenseSchedule:
    """For each task its processor and start, and the makespan."""

    processor: Ints
    start_s: Floats
    makespan_s: float


def list_schedule(
    seconds: Floats, source: Ints, target: Ints, nbytes: Floats, latency: Floats, rate: Floats
) -> DenseSchedule:
    """Schedule n tasks on p single-core processors.

    `seconds` is n x p (infinite where a task cannot run); `source`, `target` and `nbytes` describe the
    edges; `latency` and `rate` are p x p, infinite latency where there is no link. The diagonal is unused.

    >>> import numpy as np
    >>> found = list_schedule(
    ...     np.array([[2.0, 3.0], [2.0, 1.0]]), np.array([0]), np.array([1]), np.array([1.0]),
    ...     np.zeros((2, 2)), np.ones((2, 2)),
    ... )
    >>> found.processor.tolist(), found.makespan_s
    ([0, 0], 4.0)
    """
    tasks = len(seconds)
    in_first, in_edge = _group(target, tasks)
    out_first, out_edge = _group(source, tasks)
    apart = np.isfinite(latency) & ~np.eye(len(latency), dtype=bool)
    mean_latency = float(latency[apart].mean()) if apart.any() else 0.0
    mean_per_byte = float((1.0 / rate[apart]).mean()) if apart.any() else 0.0
    order = _topological(in_first, out_first, target[out_edge])
    rank = _upward_rank(
        seconds, order, out_first, target[out_edge], nbytes[out_edge], mean_latency, mean_per_byte
    )
    # Ranks fall along edges, except over tasks of zero length; the topological position decides there.
    position = np.empty(tasks, dtype=np.int64)
    position[order] = np.arange(tasks)
    by_rank = np.lexsort((position, -rank))
    processor, start, makespan = _place(
        seconds, by_rank, in_first, source[in_edge], nbytes[in_edge], latency, rate
    )
    return DenseSchedule(processor, start, float(makespan))


def _group(ends: Ints, tasks: int) -> tuple[Ints, Ints]:
    first, edges = _counting_sort(ends.astype(np.int64), tasks)
    return first, edges


@njit(cache=True)
def _counting_sort(ends: Ints, tasks: int) -> tuple[Ints, Ints]:
    """Edge numbers grouped by one of their ends, in time linear in the edges."""
    first = np.zeros(tasks + 1, dtype=np.int64)
    for end in ends:
        first[end + 1] += 1
    for task in range(tasks):
        first[task + 1] += first[task]
    place = first[:-1].copy()
    edges = np.empty(len(ends), dtype=np.int64)
    for edge in range(len(ends)):
        edges[place[ends[edge]]] = edge
        place[ends[edge]] += 1
    return first, edges


@njit(cache=True)
def _topological(in_first: Ints, out_first: Ints, out_task: Ints) -> Ints:
    tasks = len(in_first) - 1
    waiting = np.empty(tasks, dtype=np.int64)
    order = np.empty(tasks, dtype=np.int64)
    count = 0
    for task in range(tasks):
        waiting[task] = in_first[task + 1] - in_first[task]
        if waiting[task] == 0:
            order[count] = task
            count += 1
    done = 0
    while done < count:
        task = order[done]
        done += 1
        for edge in range(out_first[task], out_first[task + 1]):
            follower = out_task[edge]
            waiting[follower] -= 1
            if waiting[follower] == 0:
                order[count] = follower
                count += 1
    return order


@njit(cache=True)
def _upward_rank(
    seconds: Floats,
    order: Ints,
    out_first: Ints,
    out_task: Ints,
    out_bytes: Floats,
    mean_latency: float,
    mean_per_byte: float,
) -> Floats:
    tasks, processors = seconds.shape
    rank = np.zeros(tasks)
    for number in range(tasks - 1, -1, -1):
        task = order[number]
        total, able = 0.0, 0
        for place in range(processors):
            if seconds[task, place] < np.inf:
                total += seconds[task, place]
                able += 1
        longest = 0.0
        for edge in range(out_first[task], out_first[task + 1]):
            way = rank[out_task[edge]]
            if out_bytes[edge] > 0:
                way += mean_latency + out_bytes[edge] * mean_per_byte
            longest = max(longest, way)
        rank[task] = total / max(1, able) + longest
    return rank


@njit(cache=True)
def _place(
    seconds: Floats,
    by_rank: Ints,
    in_first: Ints,
    in_task: Ints,
    in_bytes: Floats,
    latency: Floats,
    rate: Floats,
) -> tuple[Ints, Floats, float]:
    tasks, processors = seconds.shape
    per_byte = 1.0 / rate
    processor = np.zeros(tasks, dtype=np.int64)
    start = np.zeros(tasks)
    end = np.zeros(tasks)
    free = np.zeros(processors)
    ready = np.empty(processors)
    makespan = 0.0
    for task in by_rank:
        ready[:] = free
        for edge in range(in_first[task], in_first[task + 1]):
            before = in_task[edge]
            home, nbytes, done = processor[before], in_bytes[edge], end[before]
            for place in range(processors):
                arrival = done
                if nbytes > 0.0 and place != home:
                    arrival += latency[home, place] + nbytes * per_byte[home, place]
                ready[place] = max(ready[place], arrival)
        best, best_end = 0, np.inf
        for place in range(processors):
            finish = ready[place] + seconds[task, place]
            if finish < best_end:
                best, best_end = place, finish
        processor[task] = best
        start[task] = ready[best]
        end[task] = best_end
        free[best] = best_end
        makespan = max(makespan, best_end)
    return processor, start, makespan
