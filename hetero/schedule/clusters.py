"""Heads and tails that know what must run together.

Where a task starts early on a processor, whatever could not have been sent there in time ran on that processor itself,
one after the other. The plain heads let every predecessor be everywhere at once; where transfers take longer than tasks
they are off by half. The argument is the one behind the lower bound of C. H. Papadimitriou, M. Yannakakis, "Towards an
architecture-independent analysis of parallel algorithms", SIAM Journal on Computing 19(2), 1990,
https://doi.org/10.1137/0219021, with processors that differ and the work that fits between heads and deadlines.
"""

from __future__ import annotations

import heapq
from dataclasses import replace

import numpy as np

from hetero.schedule.arrays import Arrays, Floats
from hetero.schedule.bounds import heads

__all__ = ["clustered_heads", "clustered_tails"]

PRECISION = 1e-3
"""Of the horizon: how closely a head is looked for. It is the last start that was found impossible."""

NOISE = 1e-12
"""Of the horizon: a start that is impossible by less counts as possible."""


def clustered_heads(arrays: Arrays, horizon_s: float) -> Floats:
    """For each option, a time in seconds before which its task cannot start there, at least that of `bounds.heads`.

    Looked for up to `horizon_s`, which must be finite; an option that cannot end by then may get any head up to it.
    """
    return _Clusters(arrays, horizon_s).heads()


def clustered_tails(arrays: Arrays, horizon_s: float) -> Floats:
    """For each option, the least seconds from its end to the end of the graph: the heads of the reversed graph."""
    return clustered_heads(_reversed(arrays), horizon_s)


def _reversed(arrays: Arrays) -> Arrays:
    return replace(
        arrays,
        source=arrays.target,
        target=arrays.source,
        incoming_first=arrays.outgoing_first,
        incoming=arrays.outgoing,
        outgoing_first=arrays.incoming_first,
        outgoing=arrays.incoming,
        order=arrays.order[::-1],
        latency=arrays.latency.T,
        rate=arrays.rate.T,
    )


class _Clusters:
    """By task and processor, over the task's options there: least head, duration and work, and earliest end."""

    def __init__(self, arrays: Arrays, horizon_s: float) -> None:
        shape = arrays.tasks, arrays.processors
        self._arrays, self._horizon_s, self._noise_s = arrays, horizon_s, NOISE * horizon_s
        self._head, self._end, self._duration, self._work = (np.full(shape, np.inf) for _ in range(4))
        here = arrays.task, arrays.processor
        np.minimum.at(self._duration, here, arrays.seconds)
        np.minimum.at(self._work, here, arrays.seconds * arrays.cores / arrays.capacity[arrays.processor])
        self._sent = np.full((arrays.edges, arrays.processors), np.inf)  # earliest arrival from elsewhere
        self._position = np.empty(arrays.tasks, dtype=np.int64)
        self._position[arrays.order] = np.arange(arrays.tasks)

    def heads(self) -> Floats:
        arrays = self._arrays
        head = heads(arrays)
        for task in arrays.order.tolist():
            for option in range(int(arrays.first[task]), int(arrays.first[task + 1])):
                place = int(arrays.processor[option])
                head[option] = self._raised(
                    task, place, max(head[option], self._by_edges(task, place)), option
                )
                self._head[task, place] = min(self._head[task, place], head[option])
                end = head[option] + arrays.seconds[option]
                self._end[task, place] = min(self._end[task, place], end)
            for edge in arrays.outgoing[
                arrays.outgoing_first[task] : arrays.outgoing_first[task + 1]
            ].tolist():
                arrival = self._end[task][:, None] + arrays.delays(edge)
                np.fill_diagonal(arrival, np.inf)
                self._sent[edge] = arrival.min(axis=0)
        return head

    def _by_edges(self, task: int, place: int) -> float:
        """When each input alone could be there, from elsewhere or made in place."""
        ready = 0.0
        for edge in self._incoming(task):
            ready = max(ready, min(self._sent[edge, place], self._end[self._arrays.source[edge], place]))
        return float(ready)

    def _raised(self, task: int, place: int, low: float, option: int) -> float:
        """The last start from `low` on that was found impossible, by bisection; `low` where that is possible."""
        high = self._horizon_s - float(self._arrays.seconds[option])
        if not low < high or self._possible(task, place, low):
            return low
        if not self._possible(task, place, high):
            return high
        while high - low > PRECISION * self._horizon_s:
            middle = (low + high) / 2
            if self._possible(task, place, middle):
                high = middle
            else:
                low = middle
        return low

    def _possible(self, task: int, place: int, start: float) -> bool:
        """Whether all ancestors that must run on `place` for this start fit there; each has a deadline."""
        deadlines: dict[int, float] = {}
        waiting: list[tuple[int, int]] = []

        def gather(before: int, deadline: float) -> None:
            """The predecessors that cannot be elsewhere must have ended here by the deadline."""
            for edge in self._incoming(before):
                if self._sent[edge, place] > deadline + self._noise_s:
                    source = int(self._arrays.source[edge])
                    if source not in deadlines:
                        heapq.heappush(waiting, (-int(self._position[source]), source))
                    deadlines[source] = min(deadlines.get(source, deadline), deadline)

        gather(task, start)
        while waiting:  # the last in topological order first: then its deadline is final
            source = heapq.heappop(waiting)[1]
            if self._end[source, place] > deadlines[source] + self._noise_s:
                return False
            gather(source, deadlines[source] - float(self._duration[source, place]))
        return len(deadlines) < 2 or self._fit(place, deadlines)

    def _fit(self, place: int, deadlines: dict[int, float]) -> bool:
        """Whether between any head and any deadline there is time for the work of those that must run there."""
        by_deadline = sorted(deadlines, key=deadlines.__getitem__)
        head, work = self._head[by_deadline, place], self._work[by_deadline, place]
        deadline = np.array([deadlines[source] for source in by_deadline])
        for begin in np.unique(head):
            inside = head >= begin
            if (begin + np.cumsum(work[inside]) > deadline[inside] + self._noise_s).any():
                return False
        return True

    def _incoming(self, task: int) -> list[int]:
        arrays = self._arrays
        edges: list[int] = arrays.incoming[
            arrays.incoming_first[task] : arrays.incoming_first[task + 1]
        ].tolist()
        return edges
