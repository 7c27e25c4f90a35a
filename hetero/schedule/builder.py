"""A schedule under construction: tasks are put one by one, each after its predecessors."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator

import numpy as np

from hetero.schedule.arrays import Arrays, Floats
from hetero.schedule.draft import Draft
from hetero.schedule.problem import Limits
from hetero.schedule.timeline import Timeline

__all__ = ["Builder"]

QUANTITIES = ("joules", "dollars", "error")
NOWHERE = -1  # the option of a task that is not placed


class Builder:
    """Timelines, memory and sums so far, and the options that still fit.

    Works on Python lists: for one task at a time they are several times faster than NumPy's elements.
    """

    def __init__(self, arrays: Arrays, limits: Limits) -> None:
        self._arrays = arrays
        self._first = arrays.first.tolist()
        self._task = arrays.task.tolist()
        self._processor = arrays.processor.tolist()
        self._seconds = arrays.seconds.tolist()
        self._cores = arrays.cores.tolist()
        self._incoming = _predecessors(arrays)
        self._latency = arrays.latency.tolist()
        self._rate = arrays.rate.tolist()
        self._timelines = [Timeline(cores) for cores in arrays.capacity.tolist()]
        self._option = [NOWHERE] * arrays.tasks
        self._start = [0.0] * arrays.tasks
        self._end = [0.0] * arrays.tasks
        self._room = _Room(arrays, limits)

    def by_priority(self, priority: Floats) -> Iterator[int]:
        """Tasks whose predecessors have all been yielded, the highest priority first."""
        arrays = self._arrays
        waiting = np.diff(arrays.incoming_first).tolist()
        urgency = (-priority).tolist()
        heap = [(urgency[task], task) for task in range(arrays.tasks) if waiting[task] == 0]
        heapq.heapify(heap)
        targets = arrays.target[arrays.outgoing].tolist()
        first = arrays.outgoing_first.tolist()
        while heap:
            _, task = heapq.heappop(heap)
            yield task
            for follower in targets[first[task] : first[task + 1]]:
                waiting[follower] -= 1
                if waiting[follower] == 0:
                    heapq.heappush(heap, (urgency[follower], follower))

    def ways(self, task: int) -> list[tuple[int, float]]:
        """The options that fit, each with its earliest start."""
        starts = map(self.start_of, range(self._first[task], self._first[task + 1]))
        return [way for way in starts if way is not None and self._room.fits(way[0])]

    def earliest_finish(
        self, task: int, remaining: Floats | None = None, only_on: int | None = None
    ) -> tuple[int, float] | None:
        """The option, of those that fit, that ends first (plus what `remaining` adds), and its start."""
        best: tuple[int, float] | None = None
        best_key = (math.inf, math.inf)
        arrived: dict[int, float] = {}
        for option in range(self._first[task], self._first[task + 1]):
            processor = self._processor[option]
            if (only_on is not None and processor != only_on) or not self._room.fits(option):
                continue
            if processor not in arrived:
                arrived[processor] = self._arrival(task, processor)
            ready = arrived[processor]
            if ready == math.inf:
                continue
            start = self._timelines[processor].earliest(ready, self._seconds[option], self._cores[option])
            end = start + self._seconds[option]
            key = (end if remaining is None else end + float(remaining[option]), end)
            if key < best_key:
                best, best_key = (option, start), key
        return best

    def start_of(self, option: int) -> tuple[int, float] | None:
        """An option's earliest start; None where its data cannot get there."""
        task, processor = self._task[option], self._processor[option]
        ready = self._arrival(task, processor)
        if ready == math.inf:
            return None
        return option, self._timelines[processor].earliest(ready, self._seconds[option], self._cores[option])

    def put(self, option: int, start_s: float) -> None:
        task = self._task[option]
        self._option[task], self._start[task] = option, start_s
        self._end[task] = start_s + self._seconds[option]
        self._timelines[self._processor[option]].reserve(start_s, self._seconds[option], self._cores[option])
        self._room.take(option)

    def put_for_now(self, option: int, start_s: float) -> float:
        """Put an option, to be taken back before the next real `put`; its end. Memory and sums stay as they are."""
        task, seconds = self._task[option], self._seconds[option]
        end: float = start_s + seconds
        self._option[task], self._end[task] = option, end
        self._timelines[self._processor[option]].reserve(start_s, seconds, self._cores[option])
        return end

    def take_back(self, option: int, start_s: float) -> None:
        """Undo the latest `put_for_now`, which was of the same option and start."""
        self._option[self._task[option]] = NOWHERE
        line = self._timelines[self._processor[option]]
        line.release(start_s, self._seconds[option], self._cores[option])

    def draft(self, method: str) -> Draft:
        return Draft.of(self._arrays, np.array(self._option, dtype=np.int64), np.array(self._start), method)

    def _arrival(self, task: int, processor: int) -> float:
        """When a task's inputs are all on a processor; those of tasks that are not placed yet are left out."""
        ready = 0.0
        for source, nbytes in self._incoming[task]:
            chosen = self._option[source]
            if chosen == NOWHERE:
                continue
            arrival = self._end[source]
            home = self._processor[chosen]
            if home != processor and nbytes > 0:
                arrival += self._latency[home][processor] + nbytes / self._rate[home][processor]
            if arrival > ready:
                ready = arrival
        return ready


class _Room:
    """Memory and limited sums that are left for the tasks to come."""

    def __init__(self, arrays: Arrays, limits: Limits) -> None:
        self._arrays = arrays
        self._memory = arrays.memory_capacity.tolist()
        self._total_memory = math.inf if limits.memory_bytes is None else limits.memory_bytes
        self._resident: dict[int, float] = {}
        self._sums: list[tuple[Floats, Floats]] = []
        self._left: list[float] = []
        for name in QUANTITIES:
            limit = getattr(limits, name)
            if limit is not None and arrays.tasks:
                values = getattr(arrays, name)
                least = np.minimum.reduceat(values, arrays.first[:-1])
                # Every task is charged its least from the start, and only the rest when it is placed.
                self._sums.append((values, least))
                self._left.append(limit * (1 + 1e-12) - float(least.sum()))
        self._free = (
            not self._sums and math.isinf(self._total_memory) and np.isinf(arrays.memory_capacity).all()
        )

    def fits(self, option: int) -> bool:
        if self._free:
            return True
        nbytes = self._new_bytes(option)
        if nbytes > min(self._memory[self._arrays.processor[option]], self._total_memory):
            return False
        task = self._arrays.task[option]
        return all(
            values[option] - least[task] <= left
            for (values, least), left in zip(self._sums, self._left, strict=True)
        )

    def take(self, option: int) -> None:
        if self._free:
            return
        nbytes = self._new_bytes(option)
        self._memory[self._arrays.processor[option]] -= nbytes
        self._total_memory -= nbytes
        key = int(self._arrays.key[option])
        if key >= 0:
            self._resident[key] = max(self._resident.get(key, 0.0), float(self._arrays.memory[option]))
        task = self._arrays.task[option]
        for number, (values, least) in enumerate(self._sums):
            self._left[number] -= float(values[option] - least[task])

    def _new_bytes(self, option: int) -> float:
        """What the option adds, given the shared copies that are already there."""
        nbytes = float(self._arrays.memory[option])
        key = int(self._arrays.key[option])
        return nbytes if key < 0 else max(0.0, nbytes - self._resident.get(key, 0.0))


def _predecessors(arrays: Arrays) -> list[list[tuple[int, float]]]:
    pairs = list(
        zip(arrays.source[arrays.incoming].tolist(), arrays.nbytes[arrays.incoming].tolist(), strict=True)
    )
    first = arrays.incoming_first.tolist()
    return [pairs[first[task] : first[task + 1]] for task in range(arrays.tasks)]
