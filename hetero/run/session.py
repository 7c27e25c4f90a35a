"""A plan that runs: calls, futures, streams, figures; one class over an executor."""

from __future__ import annotations

import os
import time
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from types import TracebackType
from typing import Any

import numpy as np

from hetero.arguments import call_arguments
from hetero.errors import ArgumentError, ClosedError
from hetero.events import Event
from hetero.plans import Plan
from hetero.run.compile import compile_program
from hetero.run.executor import Executor, Launched
from hetero.run.local import LocalExecutor
from hetero.run.retry import may_retry
from hetero.run.timing import NodeStats
from hetero.run.trace import Span
from hetero.values import to_host

__all__ = ["Session"]

DRAIN_S = 10.0
"""How long ``close()`` lets running requests end."""


class Session:
    """Runs a plan; may be called from many threads at once. Opening compiles every node.

    A context manager; a session that is left open ends by itself with the interpreter.

    Raises:
        DeviceError: a node cannot be compiled; the message names it.
    """

    def __init__(self, plan: Plan, executor: Executor | None = None) -> None:
        self.plan = plan
        self._executor = executor or LocalExecutor(compile_program(plan), plan.machine)
        self._graph = plan.graph
        self._arity = len(plan.graph.inputs)
        self._run = self._executor.run
        self._running: list[
            None
        ] = []  # one entry a request: append and pop are atomic, and cheaper than a lock
        self._closed = False
        self._is_copy = False
        # Runs when the session is dropped, and at exit: so it must not refer to the session itself.
        self._ending = weakref.finalize(self, self._executor.close)
        _open.add(self)

    def call(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        """Run one request and wait for its result.

        Raises:
            ArgumentError: the arguments do not fit the pipeline.
            NodeError: a node raised; ``node`` names it, ``__cause__`` is what it raised.
            ClosedError: the session is closed.
        """
        values = self._bind(args, kwargs)
        self._running.append(None)
        try:
            if self._closed:  # asked after the entry: close() either waits for this request or is seen by it
                raise self._closed_error()
            try:
                return self._run(values)
            except Exception as error:
                if not may_retry(self._executor.program, error, attempt=1):
                    raise
            return self._start(values, attempt=2).result()
        finally:
            self._running.pop()

    def submit(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> Future[Any]:
        """Start one request; its future gives the result or raises as ``call`` does. It can be cancelled."""
        return self._start(self._bind(args, kwargs))

    def stream(
        self, items: Iterable[Any], in_flight: int | None = None, ordered: bool = True
    ) -> Iterator[Any]:
        """The results of many inputs, with at most ``in_flight`` of them taken and not yet given out.

        Lazy: an input is taken from ``items`` when there is room, a result is made when there was demand. Items
        are single arguments, or ``ht.args(...)``. By default twice as many are in flight as can run at once. An
        error is raised in the place of its result and ends the stream.

        Raises:
            ArgumentError: ``in_flight`` is not positive.
        """
        if self._closed:
            raise self._closed_error()
        limit = 2 * self._executor.parallel if in_flight is None else in_flight
        if limit < 1:
            raise ArgumentError(f"stream(in_flight={in_flight}): at least one request must be in flight")
        return (self._ordered if ordered else self._unordered)(iter(items), limit)

    def _ordered(self, items: Iterator[Any], limit: int) -> Iterator[Any]:
        flying: deque[Future[Any]] = deque()
        try:
            for item in items:
                flying.append(self.submit(*call_arguments(item)))
                if len(flying) >= limit:
                    yield flying.popleft().result()
            while flying:
                yield flying.popleft().result()
        finally:  # an error, or a consumer that has seen enough
            for future in flying:
                future.cancel()

    def _unordered(self, items: Iterator[Any], limit: int) -> Iterator[Any]:
        flying: set[Future[Any]] = set()
        ended: SimpleQueue[Future[Any]] = SimpleQueue()

        def next_result() -> Any:
            future = ended.get()
            flying.remove(future)
            return future.result()

        try:
            for item in items:
                future = self.submit(*call_arguments(item))
                flying.add(future)
                future.add_done_callback(ended.put)
                if len(flying) >= limit:
                    yield next_result()
            while flying:
                yield next_result()
        finally:
            for future in flying:
                future.cancel()

    def stats(self) -> dict[str, NodeStats]:
        """Calls, p50 and p99 seconds, and bytes moved, of every node that has run, by path."""
        return self._executor.stats()

    @property
    def events(self) -> tuple[Event, ...]:
        """What went wrong and was repaired, in order."""
        return tuple(self._executor.events())

    @property
    def tracing(self) -> bool:
        """Whether spans are kept for ``trace``; off at first."""
        return self._executor.tracing

    @tracing.setter
    def tracing(self, on: bool) -> None:
        self._executor.tracing = on

    @property
    def trace(self) -> list[Span]:
        """The spans of all nodes that ran while ``tracing`` was on."""
        return self._executor.spans()

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Let running requests end, then give everything back. Closing again does nothing."""
        self._closed = True
        deadline = time.monotonic() + DRAIN_S
        while self._running and time.monotonic() < deadline:
            time.sleep(0.001)
        self._ending()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _bind(self, args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> Sequence[Any]:
        if kwargs or len(args) != self._arity:
            args = self._graph.bind(args, kwargs or {})
        # An array is what most requests are made of, and needs no second look.
        return [value if type(value) is np.ndarray else to_host(value) for value in args]

    def _start(self, values: Sequence[Any], attempt: int = 1) -> Future[Any]:
        future: Future[Any] = Future()
        self._running.append(None)
        if self._closed and attempt == 1:
            self._running.pop()
            raise self._closed_error()
        self._launch(future, values, attempt)
        return future

    def _launch(self, future: Future[Any], values: Sequence[Any], attempt: int) -> None:
        """Run a request on the lanes; again where a process died under it and nothing forbids it."""

        def done(result: Any, error: BaseException | None) -> None:
            if (
                error is not None
                and may_retry(self._executor.program, error, attempt)
                and not future.cancelled()
            ):
                self._launch(future, values, attempt + 1)
                return
            self._running.pop()
            # A future stays pending, and so can be cancelled, until its request has ended.
            if not future.set_running_or_notify_cancel():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        try:
            launched = self._executor.launch(values, done)
        except BaseException:
            self._running.pop()
            raise
        future.add_done_callback(_Canceller(launched, self._running))

    def _forked(self) -> None:
        """In the child of a fork: the threads and engines of the session have stayed behind in the parent."""
        self._closed = self._is_copy = True
        self._ending.detach()

    def _closed_error(self) -> ClosedError:
        if self._is_copy:
            return ClosedError(
                f"plan {self._graph.name!r} was opened before this process was forked, and engines and threads do "
                "not survive a fork: open it in this process, or start processes by 'spawn'"
            )
        return ClosedError(f"plan {self._graph.name!r} is closed: make a new one to run it again")


_open: weakref.WeakSet[Session] = weakref.WeakSet()


def _after_fork() -> None:
    for session in list(_open):
        session._forked()


if hasattr(os, "register_at_fork"):  # where processes can be forked at all
    os.register_at_fork(after_in_child=_after_fork)


class _Canceller:
    """Drops the request of a future that was cancelled."""

    def __init__(self, launched: Launched, running: list[None]) -> None:
        self._launched, self._running = launched, running

    def __call__(self, future: Future[Any]) -> None:
        if future.cancelled() and self._launched.cancel():
            self._running.pop()
            future.set_running_or_notify_cancel()
