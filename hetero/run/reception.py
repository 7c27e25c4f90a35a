"""Where requests that do not wait in their caller's thread are accepted, and answered once each."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from hetero import show
from hetero.errors import ArgumentError, DeadlineError, OverloadError
from hetero.events import EventLog, Repeated
from hetero.run.alarms import Alarms
from hetero.run.counts import Counters
from hetero.run.engine import Engine, Engines
from hetero.run.executor import AtWork, Launched
from hetero.run.failover import Failover, Reopen
from hetero.run.local import LocalExecutor
from hetero.run.request import Request
from hetero.run.retry import blame, device_failure, may_retry, runs_once
from hetero.values import nbytes_of

__all__ = ["Reception", "Room"]

NEGLIGIBLE = frozenset({int, float, bool, complex, type(None)})
"""Types whose values take next to no memory."""

DROPPED = "a request was dropped at its deadline"


@dataclass(frozen=True, slots=True)
class Room:
    """How much a session holds at once of what it has accepted and not answered: requests, bytes of their inputs."""

    requests: int = 10_000
    nbytes: int = 1 << 30


class Reception:
    """Accepts requests while there is room for them, and drops them at their deadlines.

    ``reopen`` opens the plan again after a repair; without it a lost device is not replaced.
    """

    def __init__(self, name: str, engines: Engines, reopen: Reopen | None) -> None:
        self._name, self._engines = name, engines
        self.room = Room()
        self.counters = Counters()
        self.log = EventLog()
        self._alarms = Alarms()
        self._failover = Failover(engines, self.log, reopen, self._move) if reopen is not None else None
        self._inside: set[Request] = set()
        self._untold: list[None] = []  # one entry a request whose caller does not know yet how it ended
        self._nbytes = 0
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)  # entered by its lock, which is cheaper
        self._patient = 0
        self._told_late = Repeated(self.log, "late", name)
        self._told_rejected = Repeated(self.log, "rejected", name)

    def accept(
        self,
        values: Sequence[Any],
        deadline_s: float | None = None,
        *,
        blamed: float = 0.0,
        patient: bool = False,
    ) -> Future[Any]:
        """Start a request; one that is ``patient`` waits where there is no room for it.

        Raises:
            OverloadError: there is no room.
            ClosedError, UnavailableError: no request is taken at the moment.
        """
        if deadline_s is not None:
            _require_seconds(deadline_s)
        self._engines.check(again=blamed > 0)
        request = Request(self, values, _nbytes(values), blamed)
        future = request.future
        assert future is not None, "only an answered request has let go of it"
        with self._lock:
            admitted = self._has_room(request.nbytes) or (patient and self._wait_for_room(request.nbytes))
            if admitted:
                self._inside.add(request)
                self._nbytes += request.nbytes
        if not admitted:
            raise self._rejected()
        self._untold.append(None)
        if deadline_s is not None:
            request.within(deadline_s, self._alarms)
        request.launch()
        return future

    def enter(self, *, again: bool = False) -> Engine:
        return self._engines.enter(again=again)

    def failed(
        self, engine: Engine, error: BaseException, blamed: float, again: Callable[[bool], None]
    ) -> None:
        """A run failed: once more where it may be, else after a repair, else never."""
        if may_retry(engine.executor.program, error, blamed):
            self.counters.add("retried")
            again(True)
        elif device_failure(error) is not None and self._failover is not None:
            self._failover.failed(engine, error, again)
        else:
            again(False)

    def rerun(
        self, engine: Engine, values: Sequence[Any], error: Exception, left_s: float | None = None
    ) -> Any:
        """The result of a request whose first run, in its caller's thread, has failed; ``left_s`` until its deadline.

        Raises:
            Exception: the error, where it is final.
        """
        blamed = blame(error)
        if may_retry(engine.executor.program, error, blamed):
            self.counters.add("retried")
            return self.accept(values, left_s, blamed=blamed, patient=True).result()
        self.counters.add("failed")
        if device_failure(error) is not None and self._failover is not None:
            self._failover.failed(engine, error, lambda again: None)  # for the requests that follow
        raise error

    def items(self, values: Sequence[Any], deadline_s: float | None) -> Iterator[Any]:
        """The items of a request's result as they are made in the caller's thread. What a device does before the first
        one costs no more than it costs any other request; after that its error is the caller's."""
        seconds = math.inf if deadline_s is None else _require_seconds(deadline_s)
        end_s = time.monotonic() + seconds
        if not seconds:
            raise self._items_late(seconds, "none was")
        engine = self._engines.enter()
        given = 0
        try:
            executor = engine.executor
            assert isinstance(executor, LocalExecutor), "only what runs here gives items"
            for item in executor.iterate(values):
                if time.monotonic() >= end_s:
                    raise self._items_late(seconds, f"{given} were")
                given += 1
                yield item
        except DeadlineError:
            raise
        except Exception as error:
            if given:
                self.counters.add("failed")
                raise
            left_s = None if deadline_s is None else max(0.0, end_s - time.monotonic())
            yield from self.rerun(engine, values, error, left_s)
        finally:
            engine.running.pop()

    def _items_late(self, seconds: float, given: str) -> DeadlineError:
        self.counters.add("late")
        self._told_late.add(DROPPED)
        return DeadlineError(f"not all items within {seconds:g} s: {given} given")

    def late(self, engine: Engine, flight: Launched) -> None:
        """Find out, now or when it has had the time that its estimate allows, whether what is under way hangs."""
        if self._failover is not None:
            for at in engine.executor.inside(flight):
                self._alarms.at(at.since_s + at.patience_s, partial(self._look, engine, flight, at))

    def left(self, request: Request, how: str) -> None:
        with self._lock:
            self._inside.discard(request)
            self._nbytes -= request.nbytes
            if self._patient:
                self._changed.notify()
        if how != "answered":
            self.counters.add(how)
        if how == "late":
            self._told_late.add(DROPPED)

    def told(self) -> None:
        self._untold.pop()

    @property
    def busy(self) -> bool:
        return bool(self._untold)

    def close(self) -> None:
        self._alarms.close()
        if self._failover is not None:
            self._failover.close()

    def _has_room(self, nbytes: int) -> bool:
        room, inside = self.room, len(self._inside)
        if inside < room.requests and self._nbytes + nbytes <= room.nbytes:
            return True
        return not inside  # alone, even the largest one is run

    def _wait_for_room(self, nbytes: int) -> bool:
        """Until there is some. Called under the lock, which is given away meanwhile."""
        self._patient += 1
        try:
            while not self._has_room(nbytes):
                self._changed.wait()
        finally:
            self._patient -= 1
        return True

    def _rejected(self) -> OverloadError:
        self.counters.add("rejected")
        error = OverloadError(
            f"plan {self._name!r} has {len(self._inside)} requests of {show.nbytes(self._nbytes)} under way and "
            f"takes at most {self.room.requests} of {show.nbytes(self.room.nbytes)}: wait for results before "
            "submitting more, use stream(), which does, or set session.room = Room(requests=, nbytes=)"
        )
        self._told_rejected.add(str(error))
        return error

    def _look(self, engine: Engine, flight: Launched, at: AtWork) -> None:
        if self._failover is not None and at.stage in flight.inside:
            self._failover.hung(engine, flight, at)

    def _move(self, old: Engine, lost: Collection[str]) -> None:
        """Requests that wait in an engine which was replaced are run by the new one."""
        if not runs_once(old.executor.program):
            with self._lock:
                waiting = list(self._inside)
            for request in waiting:
                request.move(old, lost)


def _nbytes(values: Sequence[Any]) -> int:
    total = 0
    for (
        value
    ) in values:  # a loop, since most requests have one value, and a spec of it costs more than all the rest
        kind = type(value)
        if kind is np.ndarray:
            total += value.nbytes
        elif kind not in NEGLIGIBLE:
            total += nbytes_of(value)
    return total


def _require_seconds(deadline_s: float) -> float:
    if isinstance(deadline_s, bool) or not isinstance(deadline_s, int | float) or not deadline_s >= 0:
        raise ArgumentError(f"deadline_s={deadline_s!r}: expected a number of seconds >= 0")
    if math.isinf(deadline_s):
        raise ArgumentError("deadline_s=inf: leave it out where there is no deadline")
    return deadline_s
