"""One request on its way through the stages of a program."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

__all__ = ["Done", "Flight"]

Done: TypeAlias = Callable[[Any, BaseException | None], None]
"""Told once how a request ended: its result, or its error."""


class Flight:
    """The values of a request, and which stages still wait for what.

    ``inside`` are the stages that are being executed: by number, the thread and since when (``time.monotonic``).
    """

    __slots__ = ("_done", "_left", "_lock", "_waiting", "frame", "inside", "over")

    def __init__(self, frame: list[Any], waiting: Sequence[int], done: Done) -> None:
        self.frame = frame
        self._waiting = list(waiting)
        self._left = len(self._waiting)
        self._lock = threading.Lock()
        self.over = False
        self.inside: dict[int, tuple[int, float]] = {}
        self._done = done

    def arrived(self, stages: Sequence[int]) -> list[int] | None:
        """One stage has ended: those among its successors that wait for nothing more; None after the last stage."""
        ready = []
        with self._lock:
            for stage in stages:
                self._waiting[stage] -= 1
                if not self._waiting[stage]:
                    ready.append(stage)
            self._left -= 1
            return ready if self._left else None

    def end(self, result: Any, error: BaseException | None) -> None:
        """The request is answered, once; what other stages still bring is dropped."""
        with self._lock:
            if self.over:
                return
            self.over = True
        self.frame = []
        done, self._done = self._done, _nobody  # what it holds is the caller's again
        done(result, error)

    def cancel(self) -> bool:
        """Start no further stage of it and tell nobody; False where it is answered already."""
        with self._lock:
            if self.over:
                return False
            self.over = True
        self.frame = []
        self._done = _nobody
        return True


def _nobody(result: Any, error: BaseException | None) -> None:
    """Who is told about a request that is over."""
