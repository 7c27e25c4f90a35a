"""A program executed in this process: straight through in the caller's thread, or stage by stage on lanes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hetero.device import Device, DeviceInfo
from hetero.errors import NodeError
from hetero.isolation import open_isolated
from hetero.machine import Machine
from hetero.run.codegen import CodeBook, Function
from hetero.run.events import Event
from hetero.run.dispatch import Dispatcher
from hetero.run.flight import Done, Flight, Latch
from hetero.run.opened import Gate, Mover, Opened
from hetero.run.program import Block, Call, Map, Move, Program, Stage, blocks, calls
from hetero.run.team import Team
from hetero.run.timing import NodeStats, Recorder
from hetero.run.trace import Span

__all__ = ["LocalExecutor"]

HOST_SPACE = "host"
CLOSE_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class _Runnable:
    """A stage ready to be run: its function, where, and what follows it."""

    function: Function
    dispatcher: Dispatcher
    cores: int
    successors: tuple[int, ...]


class LocalExecutor:
    """Runs requests of one program. Opening compiles every executable, so what cannot run fails here.

    Raises:
        DeviceError: a node cannot be compiled; the message names it.
    """

    def __init__(
        self, program: Program, machine: Machine, open_device: Callable[[DeviceInfo], Device] = open_isolated
    ) -> None:
        self.program = program
        self.recorder = Recorder(_places(program, machine))
        self._opened = Opened(program.builds, machine, open_device)
        self._binding = _Binding(self._opened, self.recorder, _lanes_of(program))
        self._book = CodeBook(self._binding)
        self._straight = self._book.function(program.straight) if program.straight else None
        self._finish = self._book.function(program.finish)
        self._dispatchers = _dispatchers(program.stages, machine)
        self._stages = self._prepare(program.stages)
        self._waiting = tuple(len(stage.waits_for) for stage in program.stages)
        self._first = tuple(stage.index for stage in program.stages if not stage.waits_for)
        self.parallel = sum(_threads(program.stages, machine).values())

    def _prepare(self, stages: Sequence[Stage]) -> tuple[_Runnable, ...]:
        followers: dict[int, list[int]] = {}
        for stage in stages:
            for source in stage.waits_for:
                followers.setdefault(source, []).append(stage.index)
        return tuple(
            _Runnable(
                self._book.function(stage.block),
                self._dispatchers[stage.lane.processor],
                stage.cores,
                tuple(followers.get(stage.index, ())),
            )
            for stage in stages
        )

    def run(self, values: Sequence[Any]) -> Any:
        """The result of one request; the caller waits for it.

        Raises:
            NodeError: a node raised.
        """
        if self._straight is None:
            latch = Latch()
            flight = self.launch(values, latch.set)
            try:
                return latch.wait()
            except KeyboardInterrupt:
                flight.cancel()
                raise
        try:
            return self._straight(*values)
        except Exception as error:
            raise self._explained(error) from _cause(error)

    def launch(self, values: Sequence[Any], done: Done) -> Flight:
        """Start a request on the lanes; ``done`` is told once, in a thread of a lane."""
        frame: list[Any] = [None] * self.program.slots
        for slot, readers, value in zip(self.program.inputs, self.program.input_readers, values, strict=True):
            frame[slot] = [value] * readers
        flight = Flight(frame, self._waiting, done)
        for index in self._first:
            self._put(flight, index)
        return flight

    def _put(self, flight: Flight, index: int) -> None:
        stage = self._stages[index]
        stage.dispatcher.put(partial(self._advance, flight, index), stage.cores)

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
                stage.dispatcher.release(stage.cores)
                return
            index = own

    @staticmethod
    def _may_follow(stage: _Runnable, following: _Runnable) -> bool:
        return stage.dispatcher is following.dispatcher and stage.cores == following.cores

    def _step(self, flight: Flight, stage: _Runnable) -> Sequence[int]:
        """Run one stage of a request, and answer the request after its last stage; the stages that may now start."""
        if flight.over:
            return ()
        try:
            stage.function(flight.frame)
            following = flight.arrived(stage.successors)
            if following is None:
                flight.end(self._finish(flight.frame), None)
        except BaseException as error:  # whatever a node raises belongs to its caller, not to this thread
            if not flight.over:  # else the request was cancelled under this stage, and nobody asks
                flight.end(None, self._chained(error))
            return ()
        return following or ()

    def _chained(self, error: BaseException) -> BaseException:
        if not isinstance(error, Exception):
            return error
        explained = self._explained(error)
        explained.__cause__ = _cause(error)
        return explained

    def _explained(self, error: Exception) -> NodeError:
        node = self._book.node_of(error) or self.program.name
        if isinstance(error, NodeError):  # raised by the node's own op, which does not know its path
            return NodeError(node, error.message)
        return NodeError(node, f"{type(error).__name__}: {error}")

    def stats(self) -> dict[str, NodeStats]:
        return self._binding.with_bytes(self.recorder.stats())

    @property
    def tracing(self) -> bool:
        return self.recorder.tracing

    @tracing.setter
    def tracing(self, on: bool) -> None:
        self.recorder.tracing = on

    def spans(self) -> list[Span]:
        return self.recorder.spans()

    def events(self) -> Sequence[Event]:
        return self._opened.events()

    def close(self) -> None:
        for dispatcher in self._dispatchers.values():
            dispatcher.close(CLOSE_PATIENCE_S)
        self._binding.team.close()
        self._book.close()
        self._opened.close()


class _Binding:
    """What the names in generated code stand for in this process."""

    def __init__(self, opened: Opened, recorder: Recorder, lanes: Mapping[str, str]) -> None:
        self._opened, self._recorder, self._lanes = opened, recorder, lanes
        self._movers: dict[str, list[Mover]] = {}
        self.team = Team("hetero map", size=64)

    def run(self, call: Call) -> tuple[Function, Gate | None]:
        return self._opened.runs[call.executable], self._opened.gates[call.executable]

    def constant(self, value: Any, call: Call | None) -> Any:
        space = HOST_SPACE if call is None else self._opened.spaces[call.executable]
        return value if space == HOST_SPACE else self._opened.memory(space).put(value)

    def move(self, move: Move) -> Function:
        to_host = move.target_space == HOST_SPACE
        memory = self._opened.memory(move.source_space if to_host else move.target_space)
        mover = Mover(memory.get if to_host else memory.put, counts_result=to_host)
        self._movers.setdefault(move.path, []).append(mover)
        return mover

    def map(self, instruction: Map, body: Function) -> Function:
        lanes, team = instruction.lanes, self.team

        def run(items: Any, *closure: Any) -> list[Any]:
            values = items if isinstance(items, list | tuple) else list(items)
            return team.map(body, values, closure, lanes)

        return run

    def note(self, block: Block, paths: Sequence[str]) -> Function | None:
        return self._recorder.block(paths, self._lanes.get(block.name, "")) if paths else None

    def with_bytes(self, stats: dict[str, NodeStats]) -> dict[str, NodeStats]:
        """The same statistics with the bytes that were moved for each node's results."""
        moved = {path or "input": sum(m.nbytes for m in movers) for path, movers in self._movers.items()}
        return {
            path: NodeStats(found.calls, found.p50_s, found.p99_s, moved.get(path, 0))
            for path, found in stats.items()
        }


def _cause(error: Exception) -> BaseException | None:
    """What the user's code raised: hetero's own error about it is not shown twice."""
    return error.__cause__ if isinstance(error, NodeError) else error


def _dispatchers(stages: Sequence[Stage], machine: Machine) -> dict[str, Dispatcher]:
    threads = _threads(stages, machine)
    return {name: Dispatcher(name, machine.processor(name).cores, count) for name, count in threads.items()}


def _threads(stages: Sequence[Stage], machine: Machine) -> dict[str, int]:
    """How many stages can run at once on each processor."""
    narrowest: dict[str, int] = {}
    for stage in stages:
        processor, cores = stage.lane.processor, max(stage.cores, 1)
        narrowest[processor] = min(narrowest.get(processor, cores), cores)
    return {name: max(machine.processor(name).cores // cores, 1) for name, cores in narrowest.items()}


def _lanes_of(program: Program) -> dict[str, str]:
    return {stage.block.name: str(stage.lane) for stage in program.stages}


def _places(program: Program, machine: Machine) -> dict[str, tuple[str, str]]:
    """Device and processor of each node."""
    found: dict[str, tuple[str, str]] = {}
    for block in blocks(program):
        for call in calls(block):
            device = program.builds[call.executable].device
            found[call.path] = (device, machine.device(device).processor)
    return found
