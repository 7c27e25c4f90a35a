"""A bound on the bytes of requests under way: who finds no room waits, and a memory that others share stays free."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ByteRoom"]


class ByteRoom:
    """Room for ``limit_nbytes``; what is larger than that is let in alone. Used from many threads.

    >>> room = ByteRoom(100)
    >>> with room.holding(80):
    ...     room.held_nbytes
    80
    """

    def __init__(self, limit_nbytes: float) -> None:
        self.limit_nbytes = limit_nbytes
        self.held_nbytes = 0
        self.most_nbytes = 0
        """The most that was held at once so far."""
        self._changed = threading.Condition()

    @contextmanager
    def holding(self, nbytes: int) -> Iterator[None]:
        """Wait for room, and have it inside the block."""
        if not nbytes:
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: not self.held_nbytes or self._fits(nbytes))
            self.held_nbytes += nbytes
            self.most_nbytes = max(self.most_nbytes, self.held_nbytes)
        try:
            yield
        finally:
            with self._changed:
                self.held_nbytes -= nbytes
                self._changed.notify_all()

    def _fits(self, nbytes: int) -> bool:
        return self.held_nbytes + nbytes <= self.limit_nbytes
