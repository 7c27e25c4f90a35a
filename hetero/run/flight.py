"""One request on its way through the stages of a program."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from hetero.run.dispatch import Job

__all__ = ["Done", "Expected", "Flight", "Landing", "Solo"]

Done: TypeAlias = Callable[[Any, BaseException | None], None]
"""Told once how a request ended: its result, or its error."""


class Landing:
    """A request that ends once: by its result or error, or by being left.

    ``inside`` are the stages that are being executed: by number, the thread and since when (``time.monotonic``).
    """

    __slots__ = ("_done", "_lock", "inside", "jobs", "over")

    def __init__(self, done: Done) -> None:
        self._done = done
        self._lock = threading.Lock()
        self.over = False
        self.jobs: list[Job] = []
        """What was put for it somewhere, done or not."""
        self.inside: dict[int, tuple[int, float]] = {}

    @property
    def done(self) -> Done:
        """Who is to be told how it ends."""
        return self._done

    def end(self, result: Any, error: BaseException | None) -> None:
        """The request is answered, once; what other stages still bring is dropped."""
        with self._lock:
            if self.over:
                return
            self.over = True
        self.let_go()
        done, self._done = self._done, _nobody  # what it holds is the caller's again
        done(result, error)

    def cancel(self) -> bool:
        """Start no further stage of it and tell nobody; False where it is answered already."""
        with self._lock:
            if self.over:
                return False
            self.over = True
        self.let_go()
        self._done = _nobody
        return True

    def help(self) -> None:
        """Do what has not been begun of it: whoever waits for it has nothing better to do, and saves a hand-over."""
        while self.jobs:
            try:
                job = self.jobs.pop()
            except IndexError:  # it has ended meanwhile
                return
            job.run_here()

    def let_go(self) -> None:
        """Hold no values any more."""
        self.jobs = []


class Solo(Landing):
    """A request whose program is one stage: nothing waits for anything, so its values are all there is."""

    __slots__ = ("values",)

    def __init__(self, values: Sequence[Any], done: Done) -> None:
        super().__init__(done)
        self.values = values

    def let_go(self) -> None:
        super().let_go()
        self.values = ()


class Flight(Landing):
    """The values of a request, and which stages still wait for what."""

    __slots__ = ("_left", "_waiting", "frame")

    def __init__(self, frame: list[Any], waiting: Sequence[int], done: Done) -> None:
        super().__init__(done)
        self.frame = frame
        self._waiting = list(waiting)
        self._left = len(self._waiting)

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

    def let_go(self) -> None:
        super().let_go()
        self.frame = []


class Expected(Flight):
    """A flight that others may wait for, to do something together. Who expects it is told when it is over."""

    __slots__ = ("_by",)

    def __init__(
        self, frame: list[Any], waiting: Sequence[int], done: Done, by: Sequence[Callable[[Flight], None]]
    ) -> None:
        super().__init__(frame, waiting, done)
        self._by = by

    def let_go(self) -> None:
        super().let_go()
        by, self._by = self._by, ()
        for forget in by:
            forget(self)


def _nobody(result: Any, error: BaseException | None) -> None:
    """Who is told about a request that is over."""
