"""HEFT that cannot run into the wall: every task has memory reserved somewhere before the first is placed.

A task may go elsewhere than where its memory is reserved if there is room, or if a task that is still to come gives up
its reservation there and fits into the one that is left behind. So list scheduling chooses as freely as memory allows,
and always has a place to fall back on.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hetero.schedule.arrays import Arrays, Ints
from hetero.schedule.builder import Builder
from hetero.schedule.draft import Draft
from hetero.schedule.list_scheduling import place_all
from hetero.schedule.packing import TINY, held_bytes
from hetero.schedule.problem import Limits
from hetero.schedule.ranks import upward_rank

__all__ = ["heft_with_reservations"]


def heft_with_reservations(arrays: Arrays, limits: Limits, reserved: Ints) -> Draft | None:
    """HEFT from a choice of options that fits the processors' memory; None at a dead end of another kind."""
    unlimited = replace(arrays, memory_capacity=np.full(arrays.processors, np.inf))
    priority = upward_rank(arrays)
    book = _Book(arrays, reserved, priority)

    def choose(builder: Builder, task: int) -> tuple[int, float] | None:
        ways = sorted(builder.ways(task), key=lambda way: way[1] + float(arrays.seconds[way[0]]))
        return next((way for way in ways if book.switch(task, way[0])), None)

    return place_all(unlimited, replace(limits, memory_bytes=None), priority, choose, "heft-reserved")


class _Book:
    """Where memory is reserved for each task, and what is left on each processor."""

    def __init__(self, arrays: Arrays, reserved: Ints, priority: np.ndarray) -> None:
        self._arrays = arrays
        self._option = reserved.copy()
        self._room = arrays.memory_capacity * (1 + TINY) - held_bytes(arrays, reserved)
        self._shared = np.bincount(arrays.key[reserved][arrays.key[reserved] >= 0], minlength=arrays.options)
        self._waiting = np.ones(arrays.tasks, dtype=bool)
        self._priority = priority
        self._single = np.logical_and.reduceat(arrays.key < 0, arrays.first[:-1])
        self._leanest = np.full((arrays.tasks, arrays.processors), -1, dtype=np.int64)
        last_wins = np.argsort(-arrays.memory, kind="stable")
        self._leanest[arrays.task[last_wins], arrays.processor[last_wins]] = last_wins

    def switch(self, task: int, option: int) -> bool:
        """Hold an option's memory instead of what the task had reserved, for good, if that can be arranged."""
        if option != self._option[task] and not (
            self._switch_alone(task, option) if self._single[task] else self._join(task, option)
        ):
            return False
        self._waiting[task] = False
        return True

    def _switch_alone(self, task: int, option: int) -> bool:
        arrays, old = self._arrays, int(self._option[task])
        here, there = int(arrays.processor[old]), int(arrays.processor[option])
        had, needs = float(arrays.memory[old]), float(arrays.memory[option])
        room = self._room[there] + (had if here == there else 0.0)
        if needs > room and (here == there or not self._make_room(task, here, there, needs - room, had)):
            return False
        self._room[here] += had
        self._room[there] -= needs
        self._option[task] = option
        return True

    def _make_room(self, task: int, here: int, there: int, missing: float, left_behind: float) -> bool:
        """Have the last of the tasks to come that can do it move its reservation from `there` to `here`."""
        arrays = self._arrays
        sizes = arrays.memory[self._option]
        instead = self._leanest[:, here]
        able = self._waiting & self._single & (arrays.processor[self._option] == there) & (instead >= 0)
        able &= (sizes >= missing) & (arrays.memory[instead] <= self._room[here] + left_behind)
        able[task] = False
        candidates = np.flatnonzero(able)
        if len(candidates) == 0:
            return False
        other = int(candidates[self._priority[candidates].argmin()])
        self._room[there] += sizes[other]
        self._room[here] -= arrays.memory[instead[other]]
        self._option[other] = instead[other]
        return True

    def _join(self, task: int, option: int) -> bool:
        """Use a copy that is reserved there for another task; leaving an old copy is no gain that can be counted on."""
        arrays, old = self._arrays, int(self._option[task])
        key, old_key = int(arrays.key[option]), int(arrays.key[old])
        if key < 0 or self._shared[key] == 0 or old_key < 0:
            return False
        sizes = arrays.memory[self._option[arrays.key[self._option] == key]]
        if arrays.memory[option] > sizes.max():
            return False
        self._shared[key] += 1
        self._shared[old_key] -= 1
        if self._shared[old_key] == 0:
            self._room[arrays.processor[old]] += arrays.memory[old]
        self._option[task] = option
        return True
