"""A graph as a chain of segments: where all that came before ends before all that follows begins.

Neural networks are layers one after the other, and most of them have tasks that every path goes through. What lies
between two of these is a small problem by itself: nothing else can run there meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hetero.schedule.arrays import Arrays, Ints

__all__ = ["Segment", "cut_tasks", "processor_kinds", "segments"]


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """What runs after the end of one cut task and before the start of the next; `inside` is in topological order."""

    first: int
    inside: Ints
    last: int

    def between(self, arrays: Arrays, start: int, end: int) -> Arrays:
        """The segment as a problem of its own: its cut tasks take no time, on processors `start` and `end`.

        Memory and what tasks read from beyond the segment are left out, so that its bounds are bounds within the whole.
        """
        kept = np.array([self.first, *self.inside.tolist(), self.last], dtype=np.int64)
        number = np.full(arrays.tasks, -1, dtype=np.int64)
        number[kept] = np.arange(len(kept))
        option = np.concatenate(
            [
                _options_on(arrays, self.first, start)[:1],
                *(np.arange(arrays.first[task], arrays.first[task + 1]) for task in self.inside.tolist()),
                _options_on(arrays, self.last, end)[:1],
            ]
        )
        task = number[arrays.task[option]]
        seconds = arrays.seconds[option].copy()
        seconds[[0, -1]] = 0.0
        edge = np.flatnonzero((number[arrays.source] >= 0) & (number[arrays.target] >= 0))
        source, target = number[arrays.source[edge]], number[arrays.target[edge]]
        return replace(
            arrays,
            first=_rows(task, len(kept)),
            task=task,
            index=arrays.index[option],
            processor=arrays.processor[option],
            seconds=seconds,
            cores=arrays.cores[option],
            memory=np.zeros(len(option)),
            joules=arrays.joules[option],
            dollars=arrays.dollars[option],
            error=arrays.error[option],
            key=np.full(len(option), -1, dtype=np.int64),
            source=source,
            target=target,
            nbytes=arrays.nbytes[edge],
            incoming_first=_rows(target, len(kept)),
            incoming=np.argsort(target, kind="stable"),
            outgoing_first=_rows(source, len(kept)),
            outgoing=np.argsort(source, kind="stable"),
            order=np.arange(len(kept)),
            memory_capacity=np.full(arrays.processors, np.inf),
        )


def cut_tasks(arrays: Arrays) -> Ints:
    """The tasks that are before or after every other one, in their order.

    In a topological order these are the tasks that leave nothing else open, read from either end: whatever has been
    passed leads to them.
    """
    ahead = _leaves_nothing_open(
        arrays.order, arrays.incoming_first, arrays.source[arrays.incoming], arrays.tasks
    )
    back = _leaves_nothing_open(
        arrays.order[::-1], arrays.outgoing_first, arrays.target[arrays.outgoing], arrays.tasks
    )
    cuts: Ints = arrays.order[(ahead & back)[arrays.order]]
    return cuts


def segments(arrays: Arrays) -> list[Segment]:
    """What lies between each two consecutive cut tasks."""
    cuts = cut_tasks(arrays)
    place = np.empty(arrays.tasks, dtype=np.int64)
    place[arrays.order] = np.arange(arrays.tasks)
    return [
        Segment(first, arrays.order[place[first] + 1 : place[last]], last)
        for first, last in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)
    ]


def processor_kinds(arrays: Arrays) -> Ints:
    """A number for each processor, the same for those that could trade all their tasks without any change in time."""
    kind = np.arange(arrays.processors)
    looks = [_look(arrays, processor) for processor in range(arrays.processors)]
    for processor in range(arrays.processors):
        for other in range(processor):
            alike = looks[other] == looks[processor] and _links_alike(arrays, other, processor)
            if kind[other] == other and alike:
                kind[processor] = other
                break
    return kind


def _look(arrays: Arrays, processor: int) -> tuple[object, ...]:
    here = np.flatnonzero(arrays.processor == processor)
    here = here[np.lexsort((arrays.cores[here], arrays.seconds[here], arrays.task[here]))]
    columns = (arrays.task[here], arrays.seconds[here], arrays.cores[here])
    return (int(arrays.capacity[processor]), *(column.tobytes() for column in columns))


def _links_alike(arrays: Arrays, one: int, other: int) -> bool:
    """Whether the links stay the same when two processors trade places."""
    traded = np.arange(arrays.processors)
    traded[[one, other]] = other, one
    return all(
        np.array_equal(matrix, matrix[np.ix_(traded, traded)]) for matrix in (arrays.latency, arrays.rate)
    )


def _leaves_nothing_open(order: Ints, first: Ints, before: Ints, tasks: int) -> np.ndarray:
    """For each task, whether nothing but it is without a follower when all up to it in this order are taken."""
    followed = [False] * tasks
    found = np.zeros(tasks, dtype=bool)
    row, earlier = first.tolist(), before.tolist()
    open_tasks = 0
    for task in order.tolist():
        for source in earlier[row[task] : row[task + 1]]:
            open_tasks -= not followed[source]
            followed[source] = True
        open_tasks += 1
        found[task] = open_tasks == 1
    return found


def _options_on(arrays: Arrays, task: int, processor: int) -> Ints:
    own = np.arange(arrays.first[task], arrays.first[task + 1])
    there: Ints = own[arrays.processor[own] == processor]
    return there


def _rows(ends: Ints, count: int) -> Ints:
    return np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=count))]).astype(np.int64)
