"""A session whose requests are told apart: which of them each call was made for.

An executor of its own, so that a session that nobody meters pays nothing. The thread that runs a stage notes whose
stage it is; whatever is timed in it, the recorder hands to the meter under that request.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from hetero.cost.counters import counter
from hetero.errors import ArgumentError
from hetero.plans import Plan
from hetero.registry import open_device
from hetero.run.compile import compile_program
from hetero.run.flight import Done, Flight, Landing, Solo
from hetero.run.gatherer import Gatherer
from hetero.run.gathering import Waiting
from hetero.run.local import LocalExecutor
from hetero.run.meter import Meter, Share
from hetero.run.session import Session
from hetero.run.timing import BlockTimes, Recorder
from hetero.run.workshop import Workshop

__all__ = ["MeteredSession"]


class MeteredSession(Session):
    """Runs a plan as any session does, and says what each request took: ``shares()``, at any time.

    Memory grows with the requests: it is meant for a while, not for a service's life.

    Raises:
        ArgumentError: the plan is for a cluster, whose nodes have meters of their own.
        DeviceError: a node cannot be compiled.
    """

    def __init__(self, plan: Plan, meter: Meter | None = None) -> None:
        if plan.cluster is not None:
            raise ArgumentError(
                f"plan {plan.graph.name!r} runs on a cluster: only a plan for this machine is metered"
            )
        self.meter = meter or Meter(plan, counter())
        super().__init__(plan, _MeteredExecutor(plan, self.meter))

    def shares(self) -> tuple[Share, ...]:
        """What each request so far took, in the order in which they came."""
        return self.meter.shares()

    def __enter__(self) -> MeteredSession:
        return self


class _MeteredExecutor(LocalExecutor):
    def __init__(self, plan: Plan, meter: Meter) -> None:
        self._meter, self._mine = meter, _Mine()
        program = compile_program(plan)
        shop = Workshop(program.stages, program.builds, plan.machine, open_device, self._recorder)
        super().__init__(program, plan.machine, workshop=shop)

    def _recorder(self, places: Mapping[str, tuple[str, str]]) -> Recorder:
        return _Recorder(places, self._meter, self._mine)

    def run(self, values: Sequence[Any]) -> Any:
        if self.program.straight is None:  # it goes by stages, and `_begin` sees to it
            return super().run(values)
        self._mine.request = request = self._meter.arrive()
        try:
            return super().run(values)
        finally:
            self._mine.request = None
            self._meter.leave(request)

    def launch(self, values: Sequence[Any], done: Done) -> Landing:
        return super().launch(values, _Answer(self._meter, done))

    def _begin(self, values: Sequence[Any], done: Done) -> Flight:
        return super()._begin(values, done if isinstance(done, _Answer) else _Answer(self._meter, done))

    def _fly_alone(self, function: Any, flight: Solo) -> None:
        self._mine.request = _request_of(flight)
        try:
            super()._fly_alone(function, flight)
        finally:
            self._mine.request = None

    def _step(self, flight: Flight, stage: Any) -> Sequence[int]:
        self._mine.request = _request_of(flight)
        try:
            return super()._step(flight, stage)
        finally:
            self._mine.request = None

    def _gatherer(self, stage: Any, together: Any) -> Gatherer:
        found = super()._gatherer(stage, together)
        path, processor = found.path, stage.lane.processor

        def told(waiting: Sequence[Waiting], seconds: float) -> None:
            rows = ((_request_of(one.flight), float(len(one.args[0]))) for one in waiting)
            self._meter.worked(path, processor, seconds, {who: n for who, n in rows if who is not None and n})

        found.told = told
        return found


class _Mine(threading.local):
    """Whose stage this thread runs."""

    request: int | None = None


class _Answer:
    """Tells who waits for a request, and the meter that it has left."""

    __slots__ = ("_done", "_meter", "request")

    def __init__(self, meter: Meter, done: Done) -> None:
        self._meter, self._done, self.request = meter, done, meter.arrive()

    def __call__(self, result: Any, error: BaseException | None) -> None:
        self._meter.leave(self.request)
        self._done(result, error)


def _request_of(flight: Landing) -> int | None:
    """The number of a flight's request; None where it is over."""
    return flight.done.request if isinstance(flight.done, _Answer) else None


class _Recorder(Recorder):
    """Hands the times of nodes at the top of the graph to the meter: what is inside a map or branch is in its time."""

    def __init__(self, places: Mapping[str, tuple[str, str]], meter: Meter, mine: _Mine) -> None:
        super().__init__(places)
        self._meter, self._mine = meter, mine

    def _keep(self, block: BlockTimes, times: tuple[float, ...]) -> bool:
        super()._keep(block, times)
        request = self._mine.request
        if request is not None:
            for i, path in enumerate(block.paths):
                if "/" not in path and path in self._devices:
                    processor = self._devices[path][1]
                    self._meter.worked(path, processor, times[i + 1] - times[i], {request: 1.0})
        return True  # every run is to be timed
