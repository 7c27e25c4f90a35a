"""Lower bounds on the makespan that need no solver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetero.schedule.arrays import Arrays, Floats

__all__ = ["Ends", "critical_path", "heads", "load", "quick_bound", "tails"]

SAFETY = 1 - 1e-13  # far more than a sum of floats can be off, far less than anyone can see


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """The heads and tails of all options: of thousands of tasks they take long enough to be computed only once."""

    head: Floats
    tail: Floats

    @classmethod
    def of(cls, arrays: Arrays) -> Ends:
        return cls(heads(arrays), tails(arrays))


def heads(arrays: Arrays) -> Floats:
    """For each option, the earliest that its task can start there, every processor being free.

    The longest path over (task, option): each predecessor picks its own best option for this edge, so
    different edges may disagree on it; that is what makes it a bound.
    """
    head = np.zeros(arrays.options)
    for task in arrays.order.tolist():
        own = slice(int(arrays.first[task]), int(arrays.first[task + 1]))
        edges = arrays.incoming[arrays.incoming_first[task] : arrays.incoming_first[task + 1]]
        for edge in edges.tolist():
            before = int(arrays.source[edge])
            options = slice(int(arrays.first[before]), int(arrays.first[before + 1]))
            arrival = head[options] + arrays.seconds[options]
            delay = _delay(arrays, edge, options, own)
            head[own] = np.maximum(head[own], (arrival[:, None] + delay).min(axis=0))
    return head


def tails(arrays: Arrays) -> Floats:
    """For each option, the least time from its end to the end of the graph, every processor being free."""
    tail = np.zeros(arrays.options)
    for task in arrays.order[::-1].tolist():
        own = slice(int(arrays.first[task]), int(arrays.first[task + 1]))
        edges = arrays.outgoing[arrays.outgoing_first[task] : arrays.outgoing_first[task + 1]]
        for edge in edges.tolist():
            after = int(arrays.target[edge])
            options = slice(int(arrays.first[after]), int(arrays.first[after + 1]))
            onward = arrays.seconds[options] + tail[options]
            delay = _delay(arrays, edge, own, options)
            tail[own] = np.maximum(tail[own], (delay + onward[None, :]).min(axis=1))
    return tail


def critical_path(arrays: Arrays, ends: Ends | None = None) -> float:
    """No schedule is shorter than the longest chain, transfers included."""
    if arrays.tasks == 0:
        return 0.0
    ends = Ends.of(arrays) if ends is None else ends
    through = ends.head + arrays.seconds + ends.tail
    return float(np.minimum.reduceat(through, arrays.first[:-1]).max()) * SAFETY


def load(arrays: Arrays) -> float:
    """No schedule is shorter than all cores' work shared out perfectly, each task at its cheapest."""
    if arrays.tasks == 0:
        return 0.0
    work = np.minimum.reduceat(arrays.seconds * arrays.cores, arrays.first[:-1])
    return float(work.sum() / arrays.capacity.sum()) * SAFETY


def quick_bound(arrays: Arrays, ends: Ends | None = None) -> float:
    """The best of the bounds that take no time to compute."""
    return max(critical_path(arrays, ends), load(arrays))


def _delay(arrays: Arrays, edge: int, sources: slice, targets: slice) -> Floats:
    """Transfer time from each source option to each target option."""
    here = arrays.processor[sources][:, None]
    there = arrays.processor[targets][None, :]
    if arrays.nbytes[edge] == 0:
        return np.zeros((len(here), there.shape[1]))
    delay = arrays.latency[here, there] + arrays.nbytes[edge] / arrays.rate[here, there]
    return np.where(here == there, 0.0, delay)
