"""A schedule as arrays, before it is verified and named: what algorithms hand to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetero.schedule.arrays import Arrays, Floats, Ints

__all__ = ["Draft", "arrivals", "start_in_order"]


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """Options by their number in the arrays, starts in seconds, and the algorithm that made them."""

    option: Ints
    start_s: Floats
    makespan_s: float
    method: str

    @classmethod
    def of(cls, arrays: Arrays, option: Ints, start_s: Floats, method: str) -> Draft:
        ends = start_s + arrays.seconds[option]
        return cls(option, start_s, float(ends.max(initial=0.0)), method)


def arrivals(arrays: Arrays, option: Ints) -> Floats:
    """Seconds that each edge's data takes under a choice of options; infinite where it cannot go."""
    source = arrays.processor[option[arrays.source]]
    target = arrays.processor[option[arrays.target]]
    delay = arrays.latency[source, target] + arrays.nbytes / arrays.rate[source, target]
    return np.where((source == target) | (arrays.nbytes == 0), 0.0, delay)


def start_in_order(arrays: Arrays, option: Ints, begins: Ints, ends: Ints, method: str) -> Draft:
    """Start every task as early as exact times allow, keeping the order of a schedule in whole ticks.

    Ticks are rounded, seconds are not: refitting the tasks into gaps could miss one by a rounding
    error and start far later. So the ticks only say which tasks follow each other on which cores, and
    the starts are longest paths over those arcs and the edges.
    """
    delay = arrivals(arrays, option)
    start = np.zeros(arrays.tasks)
    free_s = [[0.0] * int(cores) for cores in arrays.capacity]
    free_tick = [[0] * int(cores) for cores in arrays.capacity]
    position = np.empty(arrays.tasks, dtype=np.int64)
    position[arrays.order] = np.arange(arrays.tasks)
    for task in np.lexsort((position, ends, begins)).tolist():
        chosen = option[task]
        ready = 0.0
        for edge in arrays.incoming[arrays.incoming_first[task] : arrays.incoming_first[task + 1]].tolist():
            source = arrays.source[edge]
            ready = max(ready, start[source] + arrays.seconds[option[source]] + delay[edge])
        if arrays.seconds[chosen] > 0:
            place = arrays.processor[chosen]
            cores = int(arrays.cores[chosen])
            lanes = sorted(range(len(free_tick[place])), key=free_tick[place].__getitem__)[:cores]
            ready = max(ready, *(free_s[place][lane] for lane in lanes))
            for lane in lanes:
                free_s[place][lane] = ready + arrays.seconds[chosen]
                free_tick[place][lane] = int(ends[task])
        start[task] = ready
    return Draft.of(arrays, option, start, method)
