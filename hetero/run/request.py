"""One request of a session from its acceptance to its one answer, however often it has to be run."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import Any, Protocol

from hetero.errors import DeadlineError
from hetero.run.alarms import Alarm, Alarms
from hetero.run.engine import Engine
from hetero.run.executor import Launched
from hetero.run.retry import blame

__all__ = ["Answer", "Office", "Request"]


class Office(Protocol):
    """Who accepts requests and is told how they go."""

    def enter(self, *, again: bool = False) -> Engine: ...

    def failed(
        self, engine: Engine, error: BaseException, blamed: float, again: Callable[[bool], None]
    ) -> None:
        """A run failed, ``blamed`` being the blame of all failures so far.

        ``again`` is told once, now or later and in any thread, whether to run the request again.
        """

    def late(self, engine: Engine, flight: Launched) -> None:
        """A deadline has passed while this flight was under way."""

    def left(self, request: Request, how: str) -> None:
        """The request is over: ``answered``, ``failed``, ``late`` or ``cancelled``."""

    def told(self) -> None:
        """Whoever waited for it has been told."""


class Answer(Future[Any]):
    """The future of a request. It drops the request when it is cancelled (a done callback would cost all requests as
    much as those few), and who waits for it without a limit does what has not been begun."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self._request = request

    def result(self, timeout: float | None = None) -> Any:
        if timeout is None:
            self._request.help()
        return super().result(timeout)

    def cancel(self) -> bool:
        cancelled = super().cancel()
        if cancelled:
            self._request.dropped(self)
        return cancelled


class Request:
    """The future of a request and what makes it come true.

    A flight is one run of it. Flights end, are lost with their devices, or are overtaken by the deadline; whoever
    comes first answers, and everything that comes later is dropped. The alarm of a deadline rings when its thread gets
    its turn, which a busy interpreter may delay: so whatever ends a flight looks at the clock too.
    """

    __slots__ = (
        "_alarm",
        "_attempt",
        "_blamed",
        "_deadline_s",
        "_due_s",
        "_engine",
        "_flight",
        "_lock",
        "_office",
        "_over",
        "_values",
        "future",
        "nbytes",
    )

    def __init__(self, office: Office, values: Sequence[Any], nbytes: int, blamed: float) -> None:
        self._office, self._values, self.nbytes = office, values, nbytes
        self._blamed = blamed
        self._attempt = 0
        self._lock = threading.Lock()
        self._over = False
        self._engine: Engine | None = None
        self._flight: Launched | None = None
        self.future: Answer | None = Answer(self)
        self._alarm: Alarm | None = None
        self._deadline_s = self._due_s = math.inf

    def within(self, deadline_s: float, alarms: Alarms) -> None:
        """Give it so many seconds from now. Called before it is launched; of 0 s nothing is left at once."""
        self._deadline_s = deadline_s
        self._due_s = time.monotonic() + deadline_s
        if deadline_s:
            self._alarm = alarms.at(self._due_s, self._expire)
        else:  # whoever has no time left is told so, however quickly it could have been done
            self._expire()

    def launch(self) -> None:
        """Run it for the first time, unless its deadline has passed.

        Raises:
            ClosedError, UnavailableError: nothing is run at the moment.
        """
        if self._over:
            return
        try:
            self._fly(again=self._blamed > 0)
        except BaseException:
            self._withdraw("failed")
            raise

    def help(self) -> None:
        """Its caller waits, and may as well do it; but not where the caller wants to be told of a deadline."""
        flight = self._flight
        if flight is not None and self._alarm is None:
            flight.help()

    def _expire(self) -> None:
        """Its deadline has passed: the caller is told so, and what has not begun of it never begins."""
        with self._lock:
            engine, flight, attempt = self._engine, self._flight, self._attempt
        if not self._deadline_s:
            where = "there was no time left when it was asked for"
        elif engine is None or flight is None:
            where = "the request waited for its plan to be repaired" if attempt else "it had not begun"
        else:
            at_work = engine.executor.inside(flight)
            where = " and ".join(map(str, at_work)) or "the request was waiting for its turn"
        if self._answer("late", None, self._late(where)) and flight is not None and engine is not None:
            _cancel(engine, flight)
            self._office.late(engine, flight)

    def _late(self, where: str) -> DeadlineError:
        return DeadlineError(f"no answer within {self._deadline_s:g} s: {where}")

    def move(self, engine: Engine, lost: Collection[str]) -> None:
        """Run it elsewhere if it is in an engine that has been replaced, and waits there or hangs in a lost device."""
        with self._lock:
            flight = self._flight if self._engine is engine else None
        if flight is None or any(at.device not in lost for at in engine.executor.inside(flight)):
            return
        with self._lock:
            if self._over or self._engine is not engine or self._flight is not flight:
                return
            if not _cancel(engine, flight):
                return
            self._attempt += 1  # what the cancelled flight may still bring is not this request's any more
        self._again()

    def _fly(self, again: bool) -> None:
        engine = self._office.enter(again=again)
        with self._lock:
            attempt = self._attempt
            self._engine, self._flight = engine, None
        try:
            flight = engine.executor.launch(self._values, partial(self._landed, attempt, engine))
        except BaseException:
            engine.running.pop()
            raise
        with self._lock:
            if self._attempt == attempt and not self._over:
                self._flight = flight
                return
        if self._over:  # the deadline, or a caller who left, was faster than the launch
            _cancel(engine, flight)

    def _landed(self, attempt: int, engine: Engine, result: Any, error: BaseException | None) -> None:
        engine.running.pop()
        with self._lock:
            if self._over or attempt != self._attempt:
                return
            self._flight = None
            self._attempt += 1
            self._over = error is None
        if error is None:
            if time.monotonic() < self._due_s:
                self._tell("answered", result, None)
            else:
                self._tell("late", None, self._late("it was done after that, and its result is dropped"))
            return
        self._blamed += blame(error)
        self._office.failed(engine, error, self._blamed, partial(self._decided, error))

    def _decided(self, error: BaseException, again: bool) -> None:
        if time.monotonic() >= self._due_s:
            late = self._late("it failed after that")
            late.__cause__ = error
            self._answer("late", None, late)
        elif again:
            self._again()
        else:
            self._answer("failed", None, error)

    def _again(self) -> None:
        if self._over:
            return
        try:
            self._fly(again=True)
        except BaseException as error:  # the session was closed meanwhile: that is the answer
            self._answer("failed", None, error)

    def _answer(self, how: str, result: Any, error: BaseException | None) -> bool:
        """Tell the caller; False where that has been done already."""
        with self._lock:
            if self._over:
                return False
            self._over = True
        self._tell(how, result, error)
        return True

    def _tell(self, how: str, result: Any, error: BaseException | None) -> None:
        future = self._let_go(how)
        assert future is not None, "a request is answered once"
        try:  # a future stays pending, and so can be cancelled, until its request has ended
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        except InvalidStateError:
            future.set_running_or_notify_cancel()  # for those who wait for several futures at once
        self._office.told()

    def dropped(self, future: Answer) -> None:
        """The future was cancelled, and so is the request."""
        flight, engine = self._flight, self._engine
        if self._withdraw("cancelled"):
            if flight is not None and engine is not None:
                _cancel(engine, flight)
            future.set_running_or_notify_cancel()

    def _withdraw(self, how: str) -> bool:
        """It is over, and nobody waits for an answer; False where it was over already."""
        with self._lock:
            if self._over:
                return False
            self._over = True
        self._let_go(how)
        self._office.told()
        return True

    def _let_go(self, how: str) -> Answer | None:
        """Hold nothing any more: future and request would otherwise keep each other alive until the next collection."""
        if self._alarm is not None:
            self._alarm.cancel()
        future, self.future = self.future, None
        self._values, self._flight = (), None
        self._office.left(self, how)
        return future


def _cancel(engine: Engine, flight: Launched) -> bool:
    """A flight that was cancelled does not land, so it leaves its engine here."""
    cancelled = flight.cancel()
    if cancelled:
        engine.running.pop()
    return cancelled
