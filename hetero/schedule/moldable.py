"""Local search on a list of the tasks, for those that take several of a processor's cores."""

from __future__ import annotations

import numpy as np

from hetero.schedule.arrays import Arrays, Ints
from hetero.schedule.draft import Draft
from hetero.schedule.local_search import kernel_sums
from hetero.schedule.moldable_kernel import Given, State, search
from hetero.schedule.problem import Limits

__all__ = ["MoldableSearch"]

SHORTEST_MEMORY, LONGEST_MEMORY = 20, 5000
PATIENCE = 20


class MoldableSearch:
    """A search that can be continued; `best` is its best schedule so far."""

    def __init__(self, arrays: Arrays, given: Given, state: State) -> None:
        self._arrays, self._given, self._state = arrays, given, state

    @classmethod
    def of(cls, arrays: Arrays, limits: Limits, begin: Draft, seed: int) -> MoldableSearch:
        """A search from a valid draft."""
        return cls(arrays, _given(arrays, limits), _state(arrays, begin, seed))

    @property
    def makespan_s(self) -> float:
        return float(self._state.values[1])

    @property
    def best(self) -> Draft:
        return Draft.of(
            self._arrays, self._state.option[2].copy(), self._state.start[2].copy(), "late-acceptance"
        )

    def iterate(self, iterations: int, target_s: float) -> int:
        """Try so many moves, fewer if a schedule of `target_s` is found."""
        return int(search(self._given, self._state, iterations, target_s * (1 + 1e-12), PATIENCE))


def _given(arrays: Arrays, limits: Limits) -> Given:
    keys = int(arrays.key.max(initial=-1)) + 1
    key_processor = np.zeros(keys, dtype=np.int64)
    shared = arrays.key >= 0
    key_processor[arrays.key[shared]] = arrays.processor[shared]
    sums, sum_limits = kernel_sums(arrays, limits)
    return Given(
        first=arrays.first,
        processor=arrays.processor,
        seconds=arrays.seconds,
        cores=arrays.cores,
        in_first=arrays.incoming_first,
        in_task=arrays.source[arrays.incoming],
        in_bytes=arrays.nbytes[arrays.incoming],
        out_first=arrays.outgoing_first,
        out_task=arrays.target[arrays.outgoing],
        latency=arrays.latency,
        rate=arrays.rate,
        capacity=arrays.capacity,
        memory=arrays.memory,
        key=arrays.key,
        key_processor=key_processor,
        memory_capacity=arrays.memory_capacity * (1 + 1e-12),
        sums=sums,
        sum_limits=sum_limits,
        limited=bool(np.isfinite(arrays.memory_capacity).any() or np.isfinite(sum_limits).any()),
    )


def _state(arrays: Arrays, begin: Draft, seed: int) -> State:
    tasks, steps = arrays.tasks, 2 * arrays.tasks + 2
    order = _by_start(arrays, begin)
    return State(
        option=np.tile(begin.option, (3, 1)),
        order=np.tile(order, (3, 1)),
        start=np.tile(begin.start_s, (3, 1)),
        position=np.zeros(tasks, dtype=np.int64),
        path=np.zeros(tasks, dtype=np.int64),
        history=np.full(LONGEST_MEMORY, np.inf),
        values=np.array([np.inf, begin.makespan_s]),
        counters=np.array([(seed * 2654435761 + 1) & 0x7FFFFFFF, 0, 0, SHORTEST_MEMORY, 0], dtype=np.int64),
        moments=np.zeros((arrays.processors, steps)),
        used=np.zeros((arrays.processors, steps), dtype=np.int64),
        steps=np.zeros(arrays.processors, dtype=np.int64),
        held=np.zeros(arrays.processors),
        key_bytes=np.zeros(int(arrays.key.max(initial=-1)) + 1),
    )


def _by_start(arrays: Arrays, begin: Draft) -> Ints:
    """The tasks in the order of their starts; those that start at once in topological order."""
    position = np.empty(arrays.tasks, dtype=np.int64)
    position[arrays.order] = np.arange(arrays.tasks)
    return np.lexsort((position, begin.start_s))
