"""The executor in charge of a session, and who is inside it: what is replaced when a plan is repaired."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeAlias

from hetero.errors import DeviceError, HeteroError
from hetero.plans import Plan
from hetero.run.executor import Executor

__all__ = ["Engine", "Engines"]

Refusal: TypeAlias = Callable[[], HeteroError]
"""Makes the error anew for each caller: a raised error carries its caller's traceback."""


class Engine:
    """An executor with the requests that it runs. It is closed when it is retired and the last of them has left."""

    __slots__ = ("executor", "plan", "retired", "run", "running")

    def __init__(self, plan: Plan, executor: Executor) -> None:
        self.plan, self.executor = plan, executor
        self.run = executor.run
        # One entry a request: append and pop are atomic, and cheaper than a lock.
        self.running: list[None] = []
        self.retired = False


class Engines:
    """The engine that new requests go to, and those before it that still have some."""

    def __init__(self, plan: Plan, executor: Executor) -> None:
        self.current = Engine(plan, executor)
        self.closed: Refusal | None = None
        """Why no new request is taken; one that is under way may still be run again."""
        self.refusal: Refusal | None = None
        """Why nothing is run, new or not."""
        self.retired: tuple[Engine, ...] = ()
        self._lock = threading.Lock()

    def enter(self, *, again: bool = False) -> Engine:
        """The current engine, which is told that a request is inside; it leaves by ``engine.running.pop()``.

        Raises:
            ClosedError, UnavailableError: no request is taken at the moment.
        """
        while True:
            engine = self.current
            engine.running.append(None)
            # Asked after the entry: who closes or replaces the engine either waits for this request or is seen by it.
            if not engine.retired and self.refusal is None and (again or self.closed is None):
                return engine
            engine.running.pop()
            self.check(again=again)

    def check(self, *, again: bool = False) -> None:
        """Raise where no request is taken at the moment."""
        refusal = self.refusal or (None if again else self.closed)
        if refusal is not None:
            raise refusal()

    def replace(self, plan: Plan, executor: Executor) -> Engine:
        """Send new requests to another executor; the engine that was retired."""
        with self._lock:
            old, self.current = self.current, Engine(plan, executor)
            executor.tracing = old.executor.tracing
            old.retired = True
            self.retired = (*self.retired, old)
        return old

    def sweep(self) -> list[DeviceError]:
        """Close retired engines that nobody is inside of; what their devices had against it."""
        with self._lock:
            over = [e for e in self.retired if not e.running and not e.executor.busy]
            self.retired = tuple(e for e in self.retired if e not in over)
        errors = []
        for engine in over:
            try:
                engine.executor.close()
            except DeviceError as error:
                errors.append(error)
        return errors

    @property
    def busy(self) -> bool:
        return any(engine.running for engine in self.all)

    @property
    def all(self) -> tuple[Engine, ...]:
        with self._lock:
            return (*self.retired, self.current)

    def close(self) -> None:
        """Close all of them, whoever is inside."""
        for engine in self.all:
            engine.executor.close()
