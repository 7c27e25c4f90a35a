"""One candidate under the clock: compiled, given its inputs in its own memory, timed in blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from hetero.cost.caches import evict
from hetero.cost.changes import change_seconds
from hetero.cost.difference import relative_l2
from hetero.cost.record import Call
from hetero.cost.timing import Timing, summarise
from hetero.device import Device, DirectExecutable, Executable, Variant, refuse
from hetero.errors import DeviceError
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs, Run

__all__ = ["Candidate", "Contender", "execute", "host_run"]

SHORTEST_S = 50e-6
"""A run shorter than this is repeated inside one timing: the clock's own cost is about 0.1 us."""
LONG_S = 30e-3
"""From this on what has to be read into the caches again is lost in the rest."""
EVICTED_RUNS = 9


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A way of running the node at ``path`` that is to be measured on recorded calls."""

    path: str
    device: Device
    processor: Processor
    op: Op
    variant: Variant
    calls: tuple[Call, ...]

    def __str__(self) -> str:
        return f"{self.path} on {self.device.info.name} {self.variant}"


@contextmanager
def execute(device: Device, op: Op, variant: Variant) -> Iterator[Executable]:
    """An executable that is closed at the end.

    Raises:
        DeviceError: the engine refused to build it, whatever it raised; that is its cause.
    """
    try:
        executable = device.compile(op, variant)
    except DeviceError:
        raise
    except (
        Exception
    ) as error:  # an engine may raise anything; it becomes the reason why this candidate is out
        raise refuse(device.info.name, op, error) from error
    try:
        yield executable
    finally:
        executable.close()


def host_run(device: Device, executable: Executable) -> Run:
    """An executable as a plain function of host values, transfers included."""
    run = device_run(executable)

    def on_host(*inputs: Any) -> Outputs:
        return tuple(map(device.memory.get, run([device.memory.put(value) for value in inputs])))

    return on_host


def device_run(executable: Executable) -> Callable[[Sequence[Any]], Outputs]:
    """From start to finished outputs, as the runtime calls it: a plain function where it is one."""
    if isinstance(executable, DirectExecutable):
        direct = executable.run
        return lambda inputs: direct(*inputs)
    return lambda inputs: executable.start(inputs).wait()


class Contender:
    """A compiled candidate and its timings on one call.

    ``cold_s`` is compile + first run; transfers are never in a timing, links are measured by themselves.
    """

    def __init__(self, candidate: Candidate, clock: Callable[[], float]) -> None:
        self.candidate = candidate
        self.cold_s = 0.0
        self.error: float | None = None
        self.seconds: list[float] = []
        self.evicted_s: float | None = None
        self.spent_s = 0.0
        self.turns = 0
        self._clock = clock
        self._stack = ExitStack()
        self._run: Callable[[Sequence[Any]], Outputs] | None = None
        self._inputs: list[Any] = []
        self._inner = 1

    def begin(self, call: Call) -> float:
        """Compile unless that is done, run the call for the first time, note its error; the seconds of a
        second run.

        Raises:
            DeviceError: the engine failed, whatever it raised; that is its cause.
        """
        with self._as_device_error():
            started = self._clock()
            if self._run is None:
                device, op = self.candidate.device, self.candidate.op
                self._run = device_run(self._stack.enter_context(execute(device, op, self.candidate.variant)))
            compiled = self._clock()
            memory = self.candidate.device.memory
            self._inputs = [memory.put(value) for value in call.inputs]
            put = self._clock()
            outputs = self._run(self._inputs)
            if not self.cold_s:
                self.cold_s = (compiled - started) + (self._clock() - put)
            # At once: some engines overwrite their outputs in the next run.
            self.error = relative_l2(call.outputs, tuple(map(memory.get, outputs)))
            del outputs
            self.seconds, self.spent_s, self.turns, self._inner = [], 0.0, 0, 1
            self.evicted_s = None
            second = self._timed()
            self._inner = max(1, math.ceil(SHORTEST_S / max(second, 1e-7)))
            return second

    def keep(self, seconds: float) -> None:
        """Count the second run of ``begin`` as a turn of its own."""
        self.seconds.append(seconds)
        self.turns += 1

    def block(self, seconds: float, most: int) -> None:
        """A turn: time runs until that much time has passed, at least one and at most so many."""
        self.turns += 1
        with self._as_device_error():
            until = self.spent_s + seconds
            for _ in range(most):
                self.seconds.append(self._timed())
                if self.spent_s >= until:
                    break

    def time_evicted(self) -> None:
        """Time a few runs, each of which finds the caches filled by others; a long run hardly notices."""
        if self.timing.seconds > LONG_S:
            return
        with self._as_device_error():
            self._inner = 1
            taken = []
            for _ in range(EVICTED_RUNS):
                evict()
                taken.append(self._timed())
            self.evicted_s = summarise(taken).seconds

    def time_changes(self, calls: Sequence[Call], budget_s: float) -> float:
        """Seconds that a call takes longer where the call before had other shapes.

        Raises:
            DeviceError: the engine failed.
        """
        run, memory = self._run, self.candidate.device.memory
        assert run is not None, "begin() comes first"
        with self._as_device_error():
            inputs = [[memory.put(value) for value in call.inputs] for call in calls]
            return change_seconds(run, inputs, self._clock, budget_s)

    @property
    def timing(self) -> Timing:
        return summarise(self.seconds)

    def close(self) -> None:
        self._run, self._inputs = None, []
        self._stack.close()

    def _timed(self) -> float:
        run, inputs = self._run, self._inputs
        assert run is not None, "begin() comes first"
        started = self._clock()
        for _ in range(self._inner):
            run(inputs)
        passed = self._clock() - started
        self.spent_s += passed
        return passed / self._inner

    @contextmanager
    def _as_device_error(self) -> Iterator[None]:
        try:
            yield
        except DeviceError:
            raise
        except (
            Exception
        ) as error:  # an engine may raise anything; it becomes the reason why this candidate is out
            raise DeviceError(f"{self.candidate} failed: {type(error).__name__}: {error}") from error
