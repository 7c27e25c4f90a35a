"""A plan that runs: calls, futures, streams, figures; one class over an executor."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.arguments import Errors, call_arguments, errors_option
from hetero.errors import ArgumentError, ClosedError
from hetero.events import Event
from hetero.plans import Plan
from hetero.run import draining, watch
from hetero.run.compile import compile_program
from hetero.run.counts import Counts
from hetero.run.engine import Engines
from hetero.run.executor import Executor
from hetero.run.local import LocalExecutor
from hetero.run.reception import Reception, Room
from hetero.run.streams import as_they_end, in_order
from hetero.run.timing import NodeStats
from hetero.run.trace import Span, save_chrome_trace
from hetero.run.watchdog import with_predictions
from hetero.values import to_host

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider
    from prometheus_client.registry import CollectorRegistry

    from hetero.run.otel import SpanExport

__all__ = ["Session"]

DRAIN_S = 10.0
"""How long ``close()`` lets running requests end."""


class Session:
    """Runs a plan; may be called from many threads at once. Opening compiles every node.

    A context manager; a session that is left open ends by itself with the interpreter, and with SIGTERM once the
    requests under way are answered (see ``hetero.run.draining``, also for how to have that left alone).

    Args:
        executor: what runs the plan, instead of this process.
        reopen: what opens the plan again after it was repaired; without it, and with an ``executor``, it is not.

    Raises:
        DeviceError: a node cannot be compiled; the message names it.
    """

    def __init__(
        self,
        plan: Plan,
        executor: Executor | None = None,
        reopen: Callable[[Plan], LocalExecutor] | None = None,
    ) -> None:
        if executor is None:
            reopen = reopen or _open_here
            executor = reopen(plan)
        self._graph = plan.graph
        self._arity = len(plan.graph.inputs)
        self._engines = Engines(plan, executor)
        self._reception = Reception(plan.graph.name, self._engines, reopen)
        self._look = watch.Look(self._reception.log)
        self._started = self._reception.counters.counter("started")
        # Runs when the session is dropped, and at exit: so it must not refer to the session itself.
        self._ending = weakref.finalize(self, _end, self._engines, self._reception)
        _open.add(self)
        draining.watch(self)
        if plan.cluster is None:  # to ask the nodes of a cluster would cost them messages
            watch.watch(self)

    def call(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        deadline_s: float | None = None,
    ) -> Any:
        """Run one request and wait for its result, at most ``deadline_s``.

        Raises:
            ArgumentError: the arguments do not fit the pipeline.
            NodeError: a node raised; ``node`` names it, ``__cause__`` is what it raised.
            DeadlineError: the deadline has passed.
            OverloadError: a request with a deadline waits in a queue, and there is no room in it.
            UnavailableError: a device is lost, and nothing else can do its work.
            ClosedError: the session is closed.
        """
        values = self._bind(args, kwargs)
        if deadline_s is not None:  # only who waits in another thread can stop waiting
            return self._accept(values, deadline_s).result()
        next(self._started)
        engine = self._engines.enter()
        try:
            return engine.run(values)
        except Exception as error:
            return self._reception.rerun(engine, values, error)
        finally:
            engine.running.pop()

    def submit(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        deadline_s: float | None = None,
        patient: bool = False,
    ) -> Future[Any]:
        """Start one request; its future gives the result or raises as ``call`` does. It can be cancelled.

        Raises:
            OverloadError: as many requests are under way as there is ``room`` for; who is ``patient`` waits instead.
            ClosedError: the session is closed.
        """
        return self._accept(self._bind(args, kwargs), deadline_s, patient)

    def iterate(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        deadline_s: float | None = None,
    ) -> Iterator[Any]:
        """Run one request and give out the items of its result as they are made, each when it is asked for.

        The result has to be the value of a generator node, or a map (whose items are then run one after the other, in
        the caller's thread). A request that is left half way is over when the iterator is closed. ``deadline_s`` is
        looked at whenever an item is made.

        Raises:
            ArgumentError: the result is not made item by item.
            DeadlineError, NodeError, UnavailableError, ClosedError: as from ``call``, also after some items.
        """
        values = self._bind(args, kwargs)
        self._engines.check()
        executor = self._engines.current.executor
        if not isinstance(executor, LocalExecutor):
            raise ArgumentError(
                f"plan {self._graph.name!r} runs elsewhere, and its results come as a whole: call it"
            )
        executor.require_items()
        next(self._started)
        return self._reception.items(values, deadline_s)

    @property
    def window(self) -> int:
        """How many requests in flight keep it busy: twice as many as can run at once."""
        return 2 * self._engines.current.executor.parallel

    def _accept(self, values: Sequence[Any], deadline_s: float | None, patient: bool = False) -> Future[Any]:
        next(self._started)
        return self._reception.accept(values, deadline_s, patient=patient)

    def stream(
        self,
        items: Iterable[Any],
        in_flight: int | None = None,
        ordered: bool = True,
        *,
        deadline_s: float | None = None,
        errors: Errors = "raise",
    ) -> Iterator[Any]:
        """The results of many inputs, with at most ``in_flight`` of them taken and not yet given out.

        Lazy: an input is taken from ``items`` when there is room, a result is made when there was demand. Items
        are single arguments, or ``ht.args(...)``. By default twice as many are in flight as can run at once. Each item
        has its ``deadline_s`` from when it is taken. An error is raised in the place of its result and ends the
        stream, or is given out as a value in that place (``errors="return"``).

        Raises:
            ArgumentError: ``in_flight`` is not positive.
        """
        self._engines.check()
        limit = self.window if in_flight is None else in_flight
        if limit < 1:
            raise ArgumentError(f"stream(in_flight={in_flight}): at least one request must be in flight")
        take = _raising if errors_option(errors) == "raise" else _returning
        futures = (
            self._accept(self._bind(*call_arguments(item)), deadline_s, patient=True) for item in items
        )
        return (in_order if ordered else as_they_end)(futures, limit, take)

    @property
    def plan(self) -> Plan:
        """The plan that runs: the one that was opened, or what it was repaired to."""
        return self._engines.current.plan

    @property
    def room(self) -> Room:
        """How many requests, of how many bytes, may be under way at once; can be set."""
        return self._reception.room

    @room.setter
    def room(self, room: Room) -> None:
        self._reception.room = room

    @property
    def counts(self) -> Counts:
        """How the requests so far have ended."""
        return self._reception.counters.read()

    def stats(self) -> dict[str, NodeStats]:
        """By node path: calls, p50 and p99 seconds, bytes moved and predicted seconds, since the plan was opened or
        repaired; copies between memory spaces too. A node that has not run has no calls, and NaN for percentiles."""
        engine = self._engines.current
        return with_predictions(engine.plan, engine.executor.stats())

    @property
    def events(self) -> tuple[Event, ...]:
        """What went wrong and was repaired, and nodes that have drifted from what was predicted, in order.

        Drift is looked for from time to time, and whenever this is read.
        """
        self._look.tell(self.plan, self.stats())
        found = [*self._reception.log.since()]
        for engine in self._engines.all:
            found += engine.executor.events()
        return tuple(sorted(dict.fromkeys(found), key=lambda event: event.time_s))

    def look(self) -> None:
        """Tell drift among the events, and file what the runs so far correct in the profile store."""
        plan, stats = self.plan, self.stats()
        self._look.tell(plan, stats)
        self._look.correct(plan, stats)

    @property
    def tracing(self) -> bool:
        """Whether spans are kept for ``trace``; off at first."""
        return self._engines.current.executor.tracing

    @tracing.setter
    def tracing(self, on: bool) -> None:
        self._engines.current.executor.tracing = on

    @property
    def trace(self) -> list[Span]:
        """The spans of all nodes that ran while ``tracing`` was on."""
        return self._engines.current.executor.spans()

    @contextmanager
    def traced(self, path: str | Path) -> Iterator[None]:
        """Trace what runs meanwhile, and write it as ``save_trace`` does when that ends, with or without an error.

        Raises:
            OSError: the file cannot be written; an old one stays intact.
        """
        before, self.tracing = self.tracing, True
        try:
            yield
        finally:
            self.tracing = before
            self.save_trace(path)

    def take_trace(self) -> list[Span]:
        """The spans since this was called last, of engines too that have been replaced meanwhile."""
        return [span for engine in self._engines.all for span in engine.executor.spans(take=True)]

    @property
    def in_flight(self) -> int:
        """Requests that are under way, or wait for their turn."""
        return sum(len(engine.running) for engine in self._engines.all)

    def save_trace(self, path: str | Path) -> None:
        """Write the trace for chrome://tracing or ui.perfetto.dev; an old file stays intact where that fails."""
        save_chrome_trace(self.trace, path)

    def export_spans(self, provider: TracerProvider | None = None, every_s: float = 1.0) -> SpanExport:
        """Trace, and hand the spans to OpenTelemetry until the export or the session is closed.

        Raises:
            MissingExtraError: ``pip install 'hetero[observe]'`` is needed.
        """
        from hetero.run.otel import SpanExport

        return SpanExport(self, self._graph.name, provider, every_s)

    def export_metrics(self, registry: CollectorRegistry | None = None) -> None:
        """Have Prometheus' registry (the default one without it) read counts and figures when it is scraped.

        Raises:
            MissingExtraError: ``pip install 'hetero[observe]'`` is needed.
        """
        from hetero.run.prometheus import register

        register(self, registry)

    @property
    def closed(self) -> bool:
        return self._engines.closed is not None

    def close(self, drain_s: float = DRAIN_S) -> None:
        """Take no request any more, let those under way end within ``drain_s`` seconds, then give everything back.
        Closing again does nothing."""
        self.stop()
        watch.forget(self)
        deadline = time.monotonic() + drain_s
        while (self._engines.busy or self._reception.busy) and time.monotonic() < deadline:
            time.sleep(0.001)
        if self._ending.alive and self.plan.cluster is None:
            self._look.correct(self.plan, self.stats())
        self._ending()
        draining.forget(self)

    def stop(self) -> None:
        """Take no request any more; those under way go on."""
        name = self._graph.name
        self._engines.closed = lambda: ClosedError(f"plan {name!r} is closed: make a new one to run it again")

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

    def _forked(self) -> None:
        """In the child of a fork: the threads and engines of the session have stayed behind in the parent."""
        name = self._graph.name
        self._engines.refusal = self._engines.closed = lambda: ClosedError(
            f"plan {name!r} was opened before this process was forked, and engines and threads do not survive a fork: "
            "open it in this process, or start processes by 'spawn'"
        )
        self._ending.detach()
        draining.forget(self)


def _open_here(plan: Plan) -> LocalExecutor:
    return LocalExecutor(compile_program(plan), plan.machine)


def _end(engines: Engines, reception: Reception) -> None:
    reception.close()
    engines.close()


def _raising(future: Future[Any]) -> Any:
    return future.result()


def _returning(future: Future[Any]) -> Any:
    error = future.exception()
    return future.result() if error is None else error


_open: weakref.WeakSet[Session] = weakref.WeakSet()


def _after_fork() -> None:
    for session in list(_open):
        session._forked()


if hasattr(os, "register_at_fork"):  # where processes can be forked at all
    os.register_at_fork(after_in_child=_after_fork)
