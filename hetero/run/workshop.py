"""What the stages of a program need in the process that runs them: executables, threads, and generated functions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any

from hetero.device import Device, DeviceInfo
from hetero.errors import NodeError
from hetero.events import Event
from hetero.machine import Machine
from hetero.ops.function import FunctionOp
from hetero.run.alarms import Alarms
from hetero.run.codegen import CodeBook, Failure, Function, label
from hetero.run.copies import Copier
from hetero.run.dispatch import Dispatcher
from hetero.run.lazy import lazily_generated, lazily_mapped
from hetero.run.misfit import misfit
from hetero.run.opened import Gate, Mover, Opened
from hetero.run.parts import run_parts
from hetero.run.program import Arrive, Block, Branch, Build, Call, Lane, Map, Move, Stage, calls, walk
from hetero.run.retry import device_failure
from hetero.run.sites import is_host
from hetero.run.team import Team
from hetero.run.timing import NodeStats, Recorder
from hetero.run.trace import Span

__all__ = ["Workshop", "threads_of"]

CLOSE_PATIENCE_S = 5.0
HELPERS = 64
"""The most threads that help with the maps of a program; none is started before it is needed."""


class Workshop:
    """Opens what the given stages call, and nothing else.

    Raises:
        DeviceError: a node cannot be compiled; the message names it.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        builds: Sequence[Build],
        machine: Machine,
        open_device: Callable[[DeviceInfo], Device],
        recorder: Callable[[Mapping[str, tuple[str, str]]], Recorder] = Recorder,
    ) -> None:
        found = [call for stage in stages for call in calls(stage.block)]
        self._opened = Opened(
            {call.executable: builds[call.executable] for call in found}, machine, open_device
        )
        self._places = _places(stages, builds, machine)
        self._away = {
            c.path for c in found if not is_host(machine.device(builds[c.executable].device).memory_space)
        }
        """Nodes that are called with handles of another memory, which say nothing of shapes."""
        self._recorder = recorder(self._places)
        self._binding = _Binding(self._opened, self._recorder, {s.block.name: str(s.lane) for s in stages})
        self._book = self._binding.book
        self.alarms = Alarms()
        self.threads = threads_of(stages, machine)
        """How many stages can run at once, by processor."""
        self._dispatchers = {
            name: Dispatcher(name, machine.processor(name).cores, count)
            for name, count in self.threads.items()
        }

    def function(self, block: Block) -> Function:
        return self._book.function(block)

    def run(self, call: Call) -> Function:
        """What runs the executable of a call, as many at a time as its device takes."""
        run, gate = self._binding.run(call)
        if gate is None:
            return run

        def gated(*inputs: Any) -> Any:
            with gate:
                return run(*inputs)

        return gated

    def note(self, path: str, lane: Lane) -> Function:
        """What takes the times of a node that is run outside of all blocks: ``(start, end)``."""
        note: Function = self._recorder.block([path], str(lane))["note"]
        return note

    def dispatcher(self, processor: str) -> Dispatcher:
        return self._dispatchers[processor]

    def node_at(self, frame: FrameType | None) -> str:
        """The node that a thread is in. Where it waits for the helpers of its map: the node that one of them is in."""
        path = self._book.node_at(frame)
        if not path or self.device_of(path):
            return path
        others = (self._book.node_at(other) for other in sys._current_frames().values())
        return next((other for other in others if other.startswith(f"{path}/")), path)

    def device_of(self, path: str) -> str:
        """The device of a node; empty for one that the program itself runs."""
        return self._places.get(path, ("", ""))[0]

    def probe(self, device: str) -> None:
        self._opened.probe(device)

    def explained(self, error: Exception, default: str) -> NodeError:
        return self._binding.explained(error, default)

    def explained_call(self, call: Call, error: Exception, args: Sequence[Any] | None = None) -> NodeError:
        """The error of a call that was made outside of all blocks, with these arguments where they are to blame."""
        return self._binding.named(
            Failure(call.path, None if args is None else call, tuple(args or ())), error
        )

    @property
    def tracing(self) -> bool:
        return self._recorder.tracing

    @tracing.setter
    def tracing(self, on: bool) -> None:
        self._recorder.tracing = on

    def stats(self) -> dict[str, NodeStats]:
        """Of each node that has run; its next call will be looked at for its shapes."""
        found = self._binding.with_bytes(self._recorder.stats())
        self._book.glances.look()
        return {
            path: one if path in self._away else replace(one, shapes=self._book.glances.seen(path))
            for path, one in found.items()
        }

    def spans(self, *, take: bool = False) -> list[Span]:
        return self._recorder.spans(take=take)

    def events(self) -> Sequence[Event]:
        return self._opened.events()

    def close(self) -> None:
        """Let the threads end and close the executables."""
        self.alarms.close()
        for dispatcher in self._dispatchers.values():
            dispatcher.close(CLOSE_PATIENCE_S)
        for copier in self._binding.copiers.values():
            copier.close(CLOSE_PATIENCE_S)
        self._binding.team.close()
        self._book.close()
        self._opened.close()


class _Binding:
    """What the names in generated code stand for in this process."""

    def __init__(self, opened: Opened, recorder: Recorder, lanes: Mapping[str, str]) -> None:
        self._opened, self._recorder, self._lanes = opened, recorder, lanes
        self._movers: dict[str, list[Mover]] = {}
        self.team = Team("hetero map", HELPERS)
        self.copiers: dict[tuple[str, str], Copier] = {}
        """By the spaces that they copy from and to; each starts its thread with its first copy."""
        self.book = CodeBook(self)

    def explained(self, error: Exception, default: str) -> NodeError:
        """What a node raised as an error that names the node; its cause is the node's own."""
        failure = self.book.failure_of(error)
        return self.named(failure if failure.path else Failure(default), error)

    def named(self, failure: Failure, error: Exception) -> NodeError:
        if isinstance(error, NodeError):  # raised by the node's own op, which does not know its path
            explained = NodeError(failure.path, error.message)
            explained.__cause__ = error.__cause__
        else:
            words = f"{type(error).__name__}: {error}"
            explained = NodeError(failure.path, self._misfit(failure, error) or words)
            explained.__cause__ = error
        return explained

    def _misfit(self, failure: Failure, error: Exception) -> str | None:
        """What is wrong with the inputs of a call; handles of another memory say nothing of what they stand for."""
        call = failure.call
        if call is None or not is_host(self._opened.spaces[call.executable]):
            return None
        return misfit(self._opened.ops[call.executable], call.path, failure.args, error)

    def run(self, call: Call) -> tuple[Function, Gate | None]:
        run = self._generate(call) if call.lazy else self._opened.runs[call.executable]
        return run, self._opened.gates[call.executable]

    def _generate(self, call: Call) -> Function:
        op = self._opened.ops[call.executable]
        assert isinstance(op, FunctionOp), "only generators are run lazily"
        function = op.positional()
        note, explained = self._aside(call.path)
        return lambda *inputs: (lazily_generated(function(*inputs), note, explained),)

    def _aside(self, path: str) -> tuple[Function, Callable[[Exception], NodeError]]:
        """What takes the times of a node's lazy runs, and what names it in an error."""
        return self._recorder.block([path], "")["note"], partial(self.explained, default=path)

    def constant(self, value: Any, call: Call | None) -> Any:
        if call is None or is_host(self._opened.spaces[call.executable]):
            return value
        return self._opened.memory(self._opened.spaces[call.executable]).put(value)

    def move(self, move: Move) -> Function:
        to_host = is_host(move.target_space)
        memory = self._opened.memory(move.source_space if to_host else move.target_space)
        mover = Mover(memory.get if to_host else memory.put, counts_result=to_host)
        self._movers.setdefault(move.path, []).append(mover)
        if not move.early:
            return mover
        spaces = move.source_space, move.target_space
        copier = self.copiers.setdefault(spaces, Copier(f"copies {' -> '.join(spaces)}"))
        note = self._recorder.block([label(move)], "")["note"]
        return partial(copier.begin, mover, note)

    def map(self, instruction: Map, pieces: Sequence[Function]) -> Function:
        lanes, team = instruction.lanes, self.team
        if instruction.parts:
            return partial(self._in_parts, instruction, pieces)
        (body,) = pieces
        if instruction.errors == "return":
            body = _returning(body, partial(self.explained, default=instruction.path))
        if instruction.lazy:
            note, explained = self._aside(instruction.path)
            return lambda items, *closure: lazily_mapped(
                lambda item: body(item, *closure), items, note, explained
            )

        def run(items: Any, *closure: Any) -> list[Any]:
            values = items if isinstance(items, list | tuple) else list(items)
            return team.map(body, values, closure, lanes)

        return run

    def _in_parts(self, instruction: Map, pieces: Sequence[Function], items: Any, *closure: Any) -> list[Any]:
        body = instruction.body
        assert body.result is not None, "a map's body has a result"

        def over(work: Function, jobs: Sequence[Any]) -> list[Any]:
            return self.team.map(work, jobs, (), instruction.lanes)

        return run_parts(instruction.parts, pieces, body.inputs, body.result, list(items), closure, over)

    def clock(self, block: Block, paths: Sequence[str]) -> dict[str, Any] | None:
        return self._recorder.block(paths, self._lanes.get(block.name, "")) if paths else None

    def with_bytes(self, stats: dict[str, NodeStats]) -> dict[str, NodeStats]:
        """The same statistics with the bytes that were moved for each node's results."""
        moved = {path: sum(mover.nbytes for mover in movers) for path, movers in self._movers.items()}
        return {path: replace(found, nbytes=moved.get(path, 0)) for path, found in stats.items()}


def threads_of(stages: Sequence[Stage], machine: Machine) -> dict[str, int]:
    """How many stages can run at once on each processor: as many of its narrowest ones as it has cores for."""
    narrowest: dict[str, int] = {}
    for stage in stages:
        processor, cores = stage.lane.processor, max(stage.cores, 1)
        narrowest[processor] = min(narrowest.get(processor, cores), cores)
    return {name: max(machine.processor(name).cores // cores, 1) for name, cores in narrowest.items()}


def _places(stages: Sequence[Stage], builds: Sequence[Build], machine: Machine) -> dict[str, tuple[str, str]]:
    """Device and processor of what is timed, by its label. Maps and branches have no device and are the work of the
    processor that their stage is on; copies are that of the processor whose memory is not the host's."""
    owners = {device.memory_space: device.processor for device in machine.devices}
    places: dict[str, tuple[str, str]] = {}
    for stage in stages:
        for item in walk(stage.block):
            if isinstance(item, Call):
                device = builds[item.executable].device
                places[item.path] = device, machine.device(device).processor
            elif isinstance(item, Map | Branch):
                places[item.path] = "", stage.lane.processor
            elif isinstance(item, Move | Arrive):
                away = item.source_space if is_host(item.target_space) else item.target_space
                places[label(item)] = "", owners[away]
    return places


def _returning(body: Function, explained: Callable[[Exception], NodeError]) -> Function:
    """The body of a map, which gives the error of an item as its result. What a device did to it is the request's."""

    def run(item: Any, *closure: Any) -> Any:
        try:
            return body(item, *closure)
        except Exception as error:  # whatever a node raises, as asked
            if device_failure(error) is not None:
                raise
            return explained(error)

    return run
