"""A bound on requests under way and their bytes: who finds no room waits, and a memory that others share stays free."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Admission"]

Admitted: TypeAlias = Callable[[], object]


class Admission:
    """Lets in so many requests, of so many bytes together; what is larger is let in alone. First come, first served.

    Used from many threads.

    >>> door = Admission(requests=2, nbytes=100)
    >>> door.enter(80, lambda: print("the second is inside"))
    True
    >>> door.enter(30, lambda: print("the second is inside"))
    False
    >>> door.leave(80)
    the second is inside
    """

    def __init__(self, requests: int, nbytes: float) -> None:
        self.limit_requests, self.limit_nbytes = requests, nbytes
        self.requests, self.nbytes = 0, 0
        self.most_nbytes = 0
        """The most that were inside at once so far."""
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, Admitted]] = deque()

    def enter(self, nbytes: int, admitted: Admitted) -> bool:
        """Whether there is room at once; where not, ``admitted`` is told when there is, in a thread that leaves."""
        with self._lock:
            if self._waiting or not self._has_room(nbytes):
                self._waiting.append((nbytes, admitted))
                return False
            self._take(nbytes)
            return True

    def wait(self, nbytes: int) -> None:
        """Come back when there is room, and have it."""
        free = threading.Event()
        if not self.enter(nbytes, free.set):
            free.wait()

    def leave(self, nbytes: int) -> None:
        """Give back the room that one has had."""
        following = []
        with self._lock:
            self.requests -= 1
            self.nbytes -= nbytes
            while self._waiting and self._has_room(self._waiting[0][0]):
                waited_nbytes, admitted = self._waiting.popleft()
                self._take(waited_nbytes)
                following.append(admitted)
        for admitted in following:
            admitted()

    def _has_room(self, nbytes: int) -> bool:
        if self.requests >= self.limit_requests:
            return False
        return not nbytes or not self.nbytes or self.nbytes + nbytes <= self.limit_nbytes

    def _take(self, nbytes: int) -> None:
        self.requests += 1
        self.nbytes += nbytes
        self.most_nbytes = max(self.most_nbytes, self.nbytes)
