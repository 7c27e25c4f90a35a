"""A program executed in this process: straight through in the caller's thread, or stage by stage on lanes."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from hetero.device import Device, DeviceInfo
from hetero.errors import ArgumentError
from hetero.events import Event
from hetero.latch import Latch
from hetero.machine import Machine
from hetero.registry import open_device
from hetero.run.codegen import Function
from hetero.run.dispatch import Dispatcher
from hetero.run.executor import AtWork, Launched
from hetero.run.flight import Done, Expected, Flight, Landing, Solo
from hetero.run.gatherer import Gatherer
from hetero.run.lazy import lazy_program
from hetero.run.program import Program, Stage, Together
from hetero.run.timing import NodeStats
from hetero.run.trace import Span
from hetero.run.watchdog import stage_patience_s
from hetero.run.workshop import Workshop

__all__ = ["LocalExecutor"]


@dataclass(frozen=True, slots=True)
class _Runnable:
    """A stage ready to be run: its function, where, and what follows it."""

    function: Function
    dispatcher: Dispatcher
    index: int
    cores: int
    successors: tuple[int, ...]
    gatherer: Gatherer | None = None


class LocalExecutor:
    """Runs requests of one program. Opening compiles every executable, so what cannot run fails here.

    Programs that share the same processors, such as the legs of one, share a ``workshop``.

    Raises:
        DeviceError: a node cannot be compiled; the message names it.
    """

    def __init__(
        self,
        program: Program,
        machine: Machine,
        open_device: Callable[[DeviceInfo], Device] = open_device,
        workshop: Workshop | None = None,
    ) -> None:
        self.program = program
        self._machine = machine
        self._workshop = workshop or Workshop(program.stages, program.builds, machine, open_device)
        self._straight = self._workshop.function(program.straight) if program.straight else None
        self._finish = self._workshop.function(program.finish)
        self._stages = self._prepare(program.stages)
        self._gatherers = [stage.gatherer for stage in self._stages if stage.gatherer is not None]
        self._waiting = tuple(len(stage.waits_for) for stage in program.stages)
        self._first = tuple(stage.index for stage in program.stages if not stage.waits_for)
        self._patience_s = tuple(stage_patience_s(program, stage) for stage in program.stages)
        self._at_work: list[None] = []  # one entry a stage that is being executed
        self.parallel = sum(self._workshop.threads.values())

    def _prepare(self, stages: Sequence[Stage]) -> tuple[_Runnable, ...]:
        followers: dict[int, list[int]] = {}
        for stage in stages:
            for source in stage.waits_for:
                followers.setdefault(source, []).append(stage.index)
        return tuple(
            _Runnable(
                self._workshop.function(stage.block),
                self._workshop.dispatcher(stage.lane.processor),
                stage.index,
                stage.cores,
                tuple(followers.get(stage.index, ())),
                None if stage.together is None else self._gatherer(stage, stage.together),
            )
            for stage in stages
        )

    def _gatherer(self, stage: Stage, together: Together) -> Gatherer:
        shop, call = self._workshop, together.call
        return Gatherer(
            together,
            shop.function(together.take),
            shop.run(call),
            shop.function(together.give),
            (shop.dispatcher(stage.lane.processor), stage.cores, stage.index),
            shop.alarms,
            shop.note(call.path, stage.lane),
            partial(shop.explained_call, call),
            self._left_together,
        )

    def run(self, values: Sequence[Any]) -> Any:
        """The result of one request; the caller waits for it.

        Raises:
            NodeError: a node raised.
        """
        if self._straight is None:
            latch = Latch()
            flight = self._begin(values, latch.set)
            try:
                self._help(flight)
                return latch.wait()
            except KeyboardInterrupt:
                flight.cancel()
                raise
        try:
            return self._straight(*values)
        except Exception as error:
            explained = self._workshop.explained(error, self.program.name)
            raise explained from explained.__cause__

    def iterate(self, values: Sequence[Any]) -> Iterator[Any]:
        """The items of one request's result, each made in the caller's thread when it is asked for.

        Raises:
            ArgumentError: the result is not made item by item.
            NodeError: a node raised.
        """
        items: Iterator[Any] = self._lazy.run(values)
        return items

    def require_items(self) -> None:
        """Raise ArgumentError where the result is not made item by item."""
        _ = self._lazy

    @cached_property
    def _lazy(self) -> LocalExecutor:
        here = {device.name for device in self._machine.devices if device.isolation == "inline"}
        program = lazy_program(self.program, here)
        if program is None:
            raise ArgumentError(
                f"plan {self.program.name!r} has no items to give out as they are made: its result is not the value of "
                "a generator in this process, and not a map"
            )
        return LocalExecutor(program, self._machine, workshop=self._workshop)

    def launch(self, values: Sequence[Any], done: Done) -> Landing:
        """Start a request on the lanes; ``done`` is told once, in a thread of a lane."""
        if self._straight is not None and len(self._stages) == 1:
            solo = Solo(values, done)
            stage = self._stages[0]
            solo.jobs.append(
                stage.dispatcher.put(partial(self._fly_alone, self._straight, solo), stage.cores)
            )
            return solo
        flight = self._begin(values, done)
        for index in self._first:
            self._put(flight, index)
        return flight

    def _begin(self, values: Sequence[Any], done: Done) -> Flight:
        frame: list[Any] = [None] * self.program.slots
        for slot, readers, value in zip(self.program.inputs, self.program.input_readers, values, strict=True):
            frame[slot] = [value] * readers
        if not self._gatherers:
            return Flight(frame, self._waiting, done)
        flight = Expected(frame, self._waiting, done, [gatherer.forget for gatherer in self._gatherers])
        for gatherer in self._gatherers:
            gatherer.expect(flight)
        return flight

    def _help(self, flight: Flight) -> None:
        """Start a request whose caller will wait for it: where there are cores for it now, the caller runs one of the
        first stages and what follows it on its lane, and whatever no thread has begun with by then."""
        *others, own = self._first
        for index in others:
            self._put(flight, index)
        stage = self._stages[own]
        if stage.gatherer is None and stage.dispatcher.take(stage.cores):
            try:
                self._advance(flight, own)
            finally:
                stage.dispatcher.give_back(stage.cores)
        else:
            self._put(flight, own)
        flight.help()

    def _fly_alone(self, function: Function, flight: Solo) -> None:
        """Run a request that is one stage, in a thread of its lane."""
        if flight.over:
            return
        flight.inside[0] = threading.get_ident(), time.monotonic()
        self._at_work.append(None)
        try:
            result = function(*flight.values)
        except BaseException as error:  # whatever a node raises belongs to its caller, not to this thread
            if not flight.over:  # else the request was cancelled under this stage, and nobody asks
                flight.end(None, self._chained(error))
        else:
            flight.end(result, None)
        finally:
            self._at_work.pop()
            del flight.inside[0]

    def _put(self, flight: Flight, index: int) -> None:
        stage = self._stages[index]
        if stage.gatherer is not None:
            stage.gatherer.add(flight)
            return
        flight.jobs.append(stage.dispatcher.put(partial(self._advance, flight, index), stage.cores))

    def _advance(self, flight: Flight, index: int) -> None:
        """Run a stage, and as long as one of the stages that it was the last to be waited for by may have its place:
        that one. The others are handed to their processors first."""
        while True:
            stage = self._stages[index]
            following = self._step(flight, stage)
            own = next((i for i in following if self._may_follow(stage, self._stages[i])), None)
            for i in following:
                if i != own:
                    self._put(flight, i)
            if own is None:
                return
            index = own

    @staticmethod
    def _may_follow(stage: _Runnable, following: _Runnable) -> bool:
        return (
            stage.dispatcher is following.dispatcher
            and stage.cores == following.cores
            and following.gatherer is None
        )

    def _step(self, flight: Flight, stage: _Runnable) -> Sequence[int]:
        """Run one stage of a request, and answer the request after its last stage; the stages that may now start."""
        if flight.over:
            return ()
        flight.inside[stage.index] = threading.get_ident(), time.monotonic()
        self._at_work.append(None)
        try:
            stage.function(flight.frame)
            return self._passed(flight, stage)
        except BaseException as error:  # whatever a node raises belongs to its caller, not to this thread
            if not flight.over:  # else the request was cancelled under this stage, and nobody asks
                flight.end(None, self._chained(error))
            return ()
        finally:
            self._at_work.pop()
            del flight.inside[stage.index]

    def _passed(self, flight: Flight, stage: _Runnable) -> Sequence[int]:
        """A stage of a request has ended; the stages that may now start."""
        following = flight.arrived(stage.successors)
        if following is None:
            flight.end(self._finish(flight.frame), None)
        return following or ()

    def _left_together(self, flight: Flight, index: int, error: BaseException | None) -> None:
        """A stage that a request had made together with others has ended for it."""
        try:
            if error is not None:
                flight.end(None, error)
                return
            for following in self._passed(flight, self._stages[index]):
                self._put(flight, following)
        except Exception as unforeseen:  # it must not become that of the others
            flight.end(None, self._chained(unforeseen))

    @property
    def busy(self) -> bool:
        return bool(self._at_work)

    def inside(self, flight: Launched) -> Sequence[AtWork]:
        """The nodes that run for a flight: read from where its threads are in the generated code."""
        assert isinstance(flight, Landing), "each executor is asked about its own flights"
        found = []
        for index, (thread, since_s) in list(flight.inside.items()):
            path = self._workshop.node_at(sys._current_frames().get(thread))
            device = self._workshop.device_of(path) or self.program.stages[index].lane.processor
            found.append(AtWork(path, device, since_s, self._patience_s[index], index))
        return found

    def probe(self, device: str) -> None:
        """Find out whether a device still works: build again what this program has on it.

        Raises:
            DeviceError: it does not.
        """
        self._workshop.probe(device)

    def _chained(self, error: BaseException) -> BaseException:
        return self._workshop.explained(error, self.program.name) if isinstance(error, Exception) else error

    @property
    def tracing(self) -> bool:
        return self._workshop.tracing

    @tracing.setter
    def tracing(self, on: bool) -> None:
        self._workshop.tracing = on

    def stats(self) -> dict[str, NodeStats]:
        found = self._workshop.stats()
        lazy = self._lazy._gatherers if "_lazy" in self.__dict__ else []
        counts: dict[str, tuple[int, int]] = {}
        for gatherer in (*self._gatherers, *lazy):
            (requests, made), (more, again) = counts.get(gatherer.path, (0, 0)), gatherer.counts
            counts[gatherer.path] = requests + more, made + again
        for path, (requests, made) in counts.items():
            if path in found and made:
                found[path] = replace(found[path], requests_a_call=requests / made)
        return found

    def spans(self, *, take: bool = False) -> list[Span]:
        return self._workshop.spans(take=take)

    def events(self) -> Sequence[Event]:
        return self._workshop.events()

    def close(self) -> None:
        self._workshop.close()
