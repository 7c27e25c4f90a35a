"""One call for several requests, and to each of them its own result or error."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from hetero.errors import NodeError
from hetero.ops.base import Outputs, Run
from hetero.rewrite.batch import split, stacked
from hetero.run.alarms import Alarms
from hetero.run.codegen import Function
from hetero.run.dispatch import Dispatcher
from hetero.run.flight import Flight
from hetero.run.gathering import Gathering, Waiting, likeness
from hetero.run.program import Together
from hetero.run.retry import device_failure

__all__ = ["Gatherer", "run_together"]

Outcome: TypeAlias = Outputs | BaseException


def run_together(run: Run, calls: Sequence[Sequence[Any]]) -> list[Outcome]:
    """The outputs of each call, computed by one; where that raises, each alone, so that an error is its own call's.

    What a device does to the one call it does to all of them: none is made again here.

    >>> import numpy as np
    >>> run_together(lambda x: (x + 1,), [[np.zeros(1)], [np.ones(2)]])
    [(array([1.]),), (array([2., 2.]),)]
    """
    if len(calls) == 1:
        return [_outcome(run, calls[0])]
    try:
        outputs = run(*stacked(calls, [None] * len(calls[0])))
    except BaseException as error:  # whatever a node raises: also SystemExit must not end a lane's thread
        if device_failure(error) is not None:
            return [error] * len(calls)
        return [_outcome(run, call) for call in calls]
    try:
        return list(split(outputs, [len(call[0]) for call in calls]))
    except ValueError as error:
        return [error] * len(calls)


def _outcome(run: Run, call: Sequence[Any]) -> Outcome:
    try:
        return run(*call)
    except BaseException as error:  # it is its request's
        return error


def _nobody(waiting: Sequence[Waiting], seconds: float) -> None:
    """Who is not interested in calls."""


class Gatherer:
    """A stage whose one call is made for several requests at once.

    Args:
        take, run, give: what ``plan`` says, as functions.
        landed: told of each request and the number of the stage when its call has ended, and with which error.
    """

    def __init__(
        self,
        plan: Together,
        take: Function,
        run: Run,
        give: Function,
        place: tuple[Dispatcher, int, int],
        alarms: Alarms,
        note: Function,
        explained: Callable[..., NodeError],
        landed: Callable[[Flight, int, BaseException | None], None],
    ) -> None:
        self.path = plan.call.path
        self._take, self._run, self._give = take, run, give
        self._slots = plan.call.outputs
        self._dispatcher, self._cores, self._index = place
        self._note, self._explained, self._landed = note, explained, landed
        self._gathering = Gathering(plan.requests, plan.wait_s, alarms, self._begin)
        self.told: Callable[[Sequence[Waiting], float], None] = _nobody
        """Hears of each call: who shared it, and its seconds."""
        self._counts = threading.Lock()
        self._requests = self._calls = 0

    @property
    def counts(self) -> tuple[int, int]:
        """Requests so far, and the calls that were made for them."""
        with self._counts:
            return self._requests, self._calls

    def expect(self, flight: Flight) -> None:
        """A request that will come by."""
        self._gathering.expect(flight)

    def forget(self, flight: Flight) -> None:
        """It is over, whether it has come by or not."""
        self._gathering.forget(flight)

    def add(self, flight: Flight) -> None:
        """A request that waits for nothing else any more."""
        try:
            args = self._take(flight.frame)
        except Exception as error:  # its values are gone where it is over
            self._landed(flight, self._index, error)
            return
        self._gathering.add(Waiting(flight, args, likeness(args)))

    def _begin(self) -> None:
        self._dispatcher.put(self._work, self._cores)

    def _work(self) -> None:
        waiting = self._gathering.take()
        if not waiting:
            return
        for one in waiting:
            one.flight.inside[self._index] = threading.get_ident(), time.monotonic()
        begun_s = time.perf_counter()
        outcomes = run_together(self._run, [one.args for one in waiting])
        ended_s = time.perf_counter()
        self._note((begun_s, ended_s))
        self.told(waiting, ended_s - begun_s)
        with self._counts:
            self._calls += 1
            self._requests += len(waiting)
        for one, outcome in zip(waiting, outcomes, strict=True):
            one.flight.inside.pop(self._index, None)
            self._land(one, outcome)

    def _land(self, one: Waiting, outcome: Outcome) -> None:
        flight = one.flight
        if flight.over:  # its deadline has passed under the call, or its caller has left
            return
        if isinstance(outcome, BaseException):
            error = self._explained(outcome, one.args) if isinstance(outcome, Exception) else outcome
            self._landed(flight, self._index, error)
            return
        try:
            for slot, value in zip(self._slots, outcome, strict=True):
                flight.frame[slot] = [value]
            self._give(flight.frame)
        except Exception as error:  # another number of outputs than the op has
            self._landed(flight, self._index, self._explained(error))
        else:
            self._landed(flight, self._index, None)
