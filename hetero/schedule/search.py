"""Local search on assignment and order on lanes (see `hetero.schedule.local_search`)."""

from __future__ import annotations

import numpy as np

from hetero.schedule.arrays import Arrays, Floats, Ints
from hetero.schedule.draft import Draft
from hetero.schedule.local_search import kernel_sums
from hetero.schedule.problem import Limits
from hetero.schedule.tabu_kernel import NOWHERE, Graph, State, search

__all__ = ["Search"]


class Search:
    """A search that can be continued; `best` is its best schedule so far."""

    def __init__(self, graph: Graph, state: State, arrays: Arrays) -> None:
        self._graph, self._state, self._arrays = graph, state, arrays
        self._patience = 200 + 10 * arrays.tasks

    @classmethod
    def of(cls, arrays: Arrays, limits: Limits, counts: Ints, begin: Draft, seed: int) -> Search:
        """A search from a valid draft, with so many lanes on each processor."""
        graph = _graph(arrays, limits, counts)
        return cls(graph, _state(arrays, graph, begin, seed), arrays)

    @property
    def makespan_s(self) -> float:
        return float(self._state.makespans[0])

    @property
    def best(self) -> Draft:
        state = self._state
        return Draft.of(self._arrays, state.best_option.copy(), state.best_start.copy(), "tabu")

    def iterate(self, iterations: int, target_s: float) -> int:
        """Make so many moves, fewer if a schedule of `target_s` is found."""
        return int(search(self._graph, self._state, iterations, target_s * (1 + 1e-12), self._patience))


def _graph(arrays: Arrays, limits: Limits, counts: Ints) -> Graph:
    keys = int(arrays.key.max(initial=-1)) + 1
    key_bytes = np.zeros(max(1, keys))
    shared = arrays.key >= 0
    np.maximum.at(key_bytes, arrays.key[shared], arrays.memory[shared])
    sums, sum_limits = kernel_sums(arrays, limits)
    return Graph(
        first=arrays.first,
        processor=arrays.processor,
        seconds=arrays.seconds,
        in_first=arrays.incoming_first,
        in_task=arrays.source[arrays.incoming],
        in_bytes=arrays.nbytes[arrays.incoming],
        out_first=arrays.outgoing_first,
        out_task=arrays.target[arrays.outgoing],
        out_bytes=arrays.nbytes[arrays.outgoing],
        latency=arrays.latency,
        rate=arrays.rate,
        lane_first=np.concatenate([[0], np.cumsum(counts)]),
        memory=arrays.memory,
        key=arrays.key,
        key_bytes=key_bytes,
        memory_capacity=arrays.memory_capacity,
        sums=sums,
        sum_limits=sum_limits,
    )


def _state(arrays: Arrays, graph: Graph, begin: Draft, seed: int) -> State:
    tasks, total = arrays.tasks, int(graph.lane_first[-1])
    lane, before, after, lane_begin = _lanes_of(arrays, graph, begin)
    memory_used, key_count, sums_used = _in_use(arrays, graph, begin.option)
    return State(
        option=begin.option.copy(),
        lane=lane,
        before=before,
        after=after,
        lane_begin=lane_begin,
        order=np.zeros(tasks, dtype=np.int64),
        position=np.zeros(tasks, dtype=np.int64),
        head=np.zeros(tasks),
        tail=np.zeros(tasks),
        head_without=np.zeros(tasks),
        tail_without=np.zeros(tasks),
        tabu=np.zeros((tasks, total), dtype=np.int64),
        waiting=np.zeros(tasks, dtype=np.int64),
        path=np.zeros(tasks, dtype=np.int64),
        memory_used=memory_used,
        key_count=key_count,
        sums_used=sums_used,
        best_option=begin.option.copy(),
        best_start=begin.start_s.copy(),
        best_lane=lane.copy(),
        counters=np.array([0, 0, (seed * 2654435761 + 1) & 0x7FFFFFFF, 0, 0], dtype=np.int64),
        makespans=np.array([begin.makespan_s]),
    )


def _lanes_of(arrays: Arrays, graph: Graph, begin: Draft) -> tuple[Ints, Ints, Ints, Ints]:
    """Give each task of a draft a lane on its processor, in order of starts."""
    total = int(graph.lane_first[-1])
    lane, before, after = (np.full(arrays.tasks, NOWHERE, dtype=np.int64) for _ in range(3))
    lane_begin = np.full(total, NOWHERE, dtype=np.int64)
    last = [NOWHERE] * total
    free_s = [0.0] * total
    for task in np.argsort(begin.start_s, kind="stable").tolist():
        option = int(begin.option[task])
        if arrays.seconds[option] == 0:
            continue
        place = int(arrays.processor[option])
        mine = min(
            range(int(graph.lane_first[place]), int(graph.lane_first[place + 1])), key=free_s.__getitem__
        )
        lane[task], before[task] = mine, last[mine]
        if last[mine] >= 0:
            after[last[mine]] = task
        else:
            lane_begin[mine] = task
        last[mine] = task
        free_s[mine] = float(begin.start_s[task] + arrays.seconds[option])
    return lane, before, after, lane_begin


def _in_use(arrays: Arrays, graph: Graph, option: Ints) -> tuple[Floats, Ints, Floats]:
    key_count = np.zeros(len(graph.key_bytes), dtype=np.int64)
    keys = arrays.key[option]
    np.add.at(key_count, keys[keys >= 0], 1)
    memory = np.zeros(arrays.processors)
    np.add.at(memory, arrays.processor[option[keys < 0]], arrays.memory[option[keys < 0]])
    for key in np.flatnonzero(key_count).tolist():
        memory[arrays.processor[arrays.key == key][0]] += graph.key_bytes[key]
    sums = graph.sums[:, option].sum(axis=1)
    return memory, key_count, np.append(sums, memory.sum())
