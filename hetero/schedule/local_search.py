"""Local search from a schedule that is known: on lanes where the processors have them, else on a list of the tasks.

A processor with c cores is c lanes where all its options take one core, and one lane where no two of its options can
run at once. Other processors (moldable tasks that share cores) have no lanes.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hetero.schedule.arrays import Arrays, Floats, Ints
from hetero.schedule.clock import now, off_the_clock
from hetero.schedule.draft import Draft
from hetero.schedule.loading import MOLDABLE_KERNEL, TABU_KERNEL
from hetero.schedule.problem import Limits

__all__ = ["LocalSearch", "begin_search", "kernel_of", "kernel_sums", "lanes", "search_until"]


class LocalSearch(Protocol):
    """A search that can be continued; `best` is its best schedule so far."""

    @property
    def makespan_s(self) -> float: ...

    @property
    def best(self) -> Draft: ...

    def iterate(self, iterations: int, target_s: float) -> int:
        """Make so many moves, fewer if a schedule of `target_s` is found; those made."""


def lanes(arrays: Arrays) -> Ints | None:
    """How many lanes each processor has, or None where one cannot be described by lanes."""
    counts = np.ones(arrays.processors, dtype=np.int64)
    timed = arrays.seconds > 0
    for processor in range(arrays.processors):
        cores = arrays.cores[timed & (arrays.processor == processor)]
        if (cores == 1).all():
            counts[processor] = min(int(arrays.capacity[processor]), max(1, len(cores)))
        elif 2 * cores.min() <= arrays.capacity[processor]:
            return None
    return counts


def kernel_of(arrays: Arrays) -> str:
    """The module that compiles the search for such a problem."""
    return MOLDABLE_KERNEL if lanes(arrays) is None else TABU_KERNEL


def kernel_sums(arrays: Arrays, limits: Limits) -> tuple[Floats, Floats]:
    """What each option takes of joules, dollars and error; and the limits on these and on memory in all, infinite where
    there is none, with room for rounding."""
    stated = (limits.joules, limits.dollars, limits.error, limits.memory_bytes)
    most = np.array([np.inf if limit is None else limit * (1 + 1e-12) for limit in stated])
    return np.ascontiguousarray([arrays.joules, arrays.dollars, arrays.error]), most


def begin_search(arrays: Arrays, limits: Limits, begin: Draft, seed: int) -> LocalSearch:
    """A search from a valid draft; loads Numba."""
    counts = lanes(arrays)
    if counts is None:
        from hetero.schedule.moldable import MoldableSearch

        return MoldableSearch.of(arrays, limits, begin, seed)
    from hetero.schedule.search import Search

    return Search.of(arrays, limits, counts, begin, seed)


def search_until(search: LocalSearch, deadline: float, target_s: float) -> None:
    """Search until `clock.now()` reaches `deadline` or a schedule of `target_s` is found."""
    with off_the_clock():
        search.iterate(0, target_s)  # loads the kernel, or compiles it
    chunk = 1  # of thousands of tasks, a single iteration takes tens of milliseconds
    while (began := now()) < deadline and search.makespan_s > target_s * (1 + 1e-12):
        search.iterate(chunk, target_s)
        took = max(1e-6, now() - began)
        chunk = max(1, int(chunk * min(0.1, max(0.001, deadline - began - took)) / took))
