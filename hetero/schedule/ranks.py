"""Priorities of tasks: how long the way is from a task to the end of the graph, or to its beginning.

Upward and downward ranks are those of HEFT (https://doi.org/10.1109/71.993206), the optimistic cost table
is PEFT's (https://doi.org/10.1109/TPDS.2013.57).
"""

from __future__ import annotations

import numpy as np

from hetero.schedule.arrays import Arrays, Floats

__all__ = ["downward_rank", "mean_delay", "mean_seconds", "optimistic_cost", "upward_rank"]


def mean_seconds(arrays: Arrays) -> Floats:
    """The mean time of each task over its options."""
    if arrays.tasks == 0:
        return np.zeros(0)
    mean: Floats = np.add.reduceat(arrays.seconds, arrays.first[:-1]) / np.diff(arrays.first)
    return mean


def mean_delay(arrays: Arrays) -> Floats:
    """The mean transfer time of each edge over the linked pairs of different processors."""
    linked = np.isfinite(arrays.latency) & ~np.eye(arrays.processors, dtype=bool)
    if not linked.any():
        return np.zeros(arrays.edges)
    latency = arrays.latency[linked].mean()
    per_byte = (1.0 / arrays.rate[linked]).mean()
    return np.where(arrays.nbytes > 0, latency + arrays.nbytes * per_byte, 0.0)


def upward_rank(arrays: Arrays, seconds: Floats | None = None) -> Floats:
    """The longest way from a task's start to the end, in mean times (or in the `seconds` given)."""
    own = (mean_seconds(arrays) if seconds is None else seconds).tolist()
    delay = mean_delay(arrays).tolist()
    target, first, outgoing = (x.tolist() for x in (arrays.target, arrays.outgoing_first, arrays.outgoing))
    rank = [0.0] * arrays.tasks
    for task in reversed(arrays.order.tolist()):
        edges = outgoing[first[task] : first[task + 1]]
        rank[task] = own[task] + max((delay[e] + rank[target[e]] for e in edges), default=0.0)
    return np.array(rank)


def downward_rank(arrays: Arrays) -> Floats:
    """The longest way from the beginning to a task's start, in mean times."""
    own, delay = mean_seconds(arrays).tolist(), mean_delay(arrays).tolist()
    source, first, incoming = (x.tolist() for x in (arrays.source, arrays.incoming_first, arrays.incoming))
    rank = [0.0] * arrays.tasks
    for task in arrays.order.tolist():
        edges = incoming[first[task] : first[task + 1]]
        rank[task] = max((rank[source[e]] + own[source[e]] + delay[e] for e in edges), default=0.0)
    return np.array(rank)


def optimistic_cost(arrays: Arrays) -> Floats:
    """For each option, the least time from its end to the end of the graph, later tasks free to choose."""
    table = np.zeros(arrays.options)
    delay = mean_delay(arrays)
    for task in arrays.order[::-1].tolist():
        here = arrays.processor[arrays.first[task] : arrays.first[task + 1]]
        edges = arrays.outgoing[arrays.outgoing_first[task] : arrays.outgoing_first[task + 1]]
        for edge in edges.tolist():
            follower = int(arrays.target[edge])
            options = slice(int(arrays.first[follower]), int(arrays.first[follower + 1]))
            onward = table[options] + arrays.seconds[options]
            moved = np.where(here[:, None] == arrays.processor[options][None, :], 0.0, delay[edge])
            least = (onward[None, :] + moved).min(axis=1)
            own = slice(int(arrays.first[task]), int(arrays.first[task + 1]))
            table[own] = np.maximum(table[own], least)
    return table
