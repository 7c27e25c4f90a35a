"""Things to be done at a time: one thread that sleeps until the next of them."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import TypeAlias

__all__ = ["Alarm", "Alarms"]

Action: TypeAlias = Callable[[], None]

MANY_DEAD = 64
"""Cancelled alarms are swept out once there are so many of them, and more than live ones."""


class Alarm:
    """One thing to be done, unless it is cancelled before its time."""

    __slots__ = ("_alarms", "action")

    def __init__(self, alarms: Alarms, action: Action) -> None:
        self._alarms = alarms
        self.action: Action | None = action

    def cancel(self) -> None:
        """Forget the action, and with it all that it holds."""
        if self.action is not None:
            self.action = None
            self._alarms.note_dead()


class Alarms:
    """Alarms by ``time.monotonic``, which a change of the wall clock does not move. The thread starts with the first.

    An action has to be short, and what it raises is its own fault: it would end the thread.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Alarm]] = []
        self._serial = count()
        self._dead = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def at(self, time_s: float, action: Action) -> Alarm:
        """Have something done at a time of ``time.monotonic``."""
        alarm = Alarm(self, action)
        with self._changed:
            earliest = not self._heap or time_s < self._heap[0][0]
            heapq.heappush(self._heap, (time_s, next(self._serial), alarm))
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._loop, name="hetero alarms", daemon=True)
                self._thread.start()
            elif earliest:
                self._changed.notify()
        return alarm

    def note_dead(self) -> None:
        with self._changed:
            self._dead += 1
            # Requests that were answered in time must not pile up until their deadlines would have been.
            if self._dead > MANY_DEAD and 2 * self._dead > len(self._heap):
                self._heap = [entry for entry in self._heap if entry[2].action is not None]
                heapq.heapify(self._heap)
                self._dead = 0

    def close(self) -> None:
        """Let the thread end; what has not been done by now is not done."""
        with self._changed:
            self._closed = True
            self._heap.clear()
            self._changed.notify()

    def _loop(self) -> None:
        while True:
            with self._changed:
                while not self._closed and (not self._heap or self._heap[0][0] > time.monotonic()):
                    self._changed.wait(self._heap[0][0] - time.monotonic() if self._heap else None)
                if self._closed:
                    return
                _, _, alarm = heapq.heappop(self._heap)
                action, alarm.action = alarm.action, None
                if action is None:
                    self._dead -= 1
            if action is not None:
                action()
            del alarm, action  # a waiting thread keeps no request alive
