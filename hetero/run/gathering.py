"""Requests that wait for the same node, and when which of them are run together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetero.run.alarms import Alarm, Alarms
from hetero.run.flight import Flight

__all__ = ["Gathering", "Waiting", "likeness"]


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A request with the arguments of its call. Those of equal ``likeness`` can be stacked."""

    flight: Flight
    args: tuple[Any, ...]
    likeness: Hashable


def likeness(args: Sequence[Any]) -> Hashable:
    """What is equal for calls that can be stacked: dtypes, and shapes but for the first axis, in which arrays agree.

    A call of anything else is like no other one.

    >>> likeness([np.zeros((2, 3))]) == likeness([np.zeros((5, 3))])
    True
    >>> likeness([np.zeros((2, 3))]) == likeness([np.zeros((2, 4))])
    False
    """
    arrays = [arg for arg in args if type(arg) is np.ndarray and arg.ndim and arg.dtype.kind != "O"]
    if not args or len(arrays) < len(args) or len({len(array) for array in arrays}) > 1:
        return object()
    return tuple((array.dtype, array.shape[1:]) for array in arrays)


class Gathering:
    """Decides when requests are begun with: when enough are there, when the first of them has waited long enough, or
    when there is nobody left to wait for.

    ``begin`` is told so; whenever it gets to it, it asks which ones to ``take``: those that have come meanwhile are
    among them, so that a busy processor makes batches grow without anybody waiting for it.

    Args:
        most: how many requests are run together.
        wait_s: how long the first one waits for others.
    """

    def __init__(self, most: int, wait_s: float, alarms: Alarms, begin: Callable[[], None]) -> None:
        self._most, self._wait_s, self._alarms, self._begin = most, wait_s, alarms, begin
        self._lock = threading.Lock()
        self._expected: set[Flight] = set()
        """All that have not been taken, those that wait among them."""
        self._waiting: list[Waiting] = []
        self._begun = False
        self._alarm: Alarm | None = None

    def expect(self, flight: Flight) -> None:
        """One that will come."""
        with self._lock:
            self._expected.add(flight)

    def forget(self, flight: Flight) -> None:
        """One that will not come any more; or it has been here, and all is well."""
        with self._lock:
            self._expected.discard(flight)
            begin = self._is_time()
        if begin:
            self._begin()

    def add(self, waiting: Waiting) -> None:
        """One that has come."""
        with self._lock:
            self._waiting.append(waiting)
            begin = self._is_time()
            if not self._begun and self._alarm is None:
                self._alarm = self._alarms.at(time.monotonic() + self._wait_s, self._due)
        if begin:
            self._begin()

    def take(self) -> Sequence[Waiting]:
        """The request that has waited longest and those that are like it; without those that are over."""
        with self._lock:
            alive = [waiting for waiting in self._waiting if not waiting.flight.over]
            taken = [w for w in alive if w.likeness == alive[0].likeness][: self._most]
            self._waiting = [waiting for waiting in alive if waiting not in taken]
            self._expected.difference_update(waiting.flight for waiting in taken)
            self._begun = again = bool(self._waiting)  # they have waited long enough for the others
            if self._alarm is not None:
                self._alarm.cancel()
                self._alarm = None
        if again:
            self._begin()
        return taken

    def _due(self) -> None:
        with self._lock:
            self._alarm = None
            begin = bool(self._waiting) and not self._begun
            self._begun |= begin
        if begin:
            self._begin()

    def _is_time(self) -> bool:
        """Whether to begin now, which is noted: who asks has to do it. Called under the lock."""
        there = len(self._waiting)
        enough = there >= min(self._most, len(self._expected)) or self._wait_s <= 0
        if self._begun or not there or not enough:
            return False
        self._begun = True
        return True
