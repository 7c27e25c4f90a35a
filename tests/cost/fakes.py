"""A clock that only moves when told, and engines whose runs move it: no test here waits or depends on the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from hetero.cost.measurement import Measurement, ProfileKey
from hetero.cost.profile import Candidate, Profiler
from hetero.cost.record import Call
from hetero.cost.store import ProfileStore
from hetero.device import HOST, DeviceInfo, DirectExecutable, Executable, Memory, Offers, Variant
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs
from hetero.ops.function import FunctionOp
from hetero.values import Specs

CPU = Processor("cpu", cores=2, model="test cpu")


class Clock:
    """Seconds that pass when someone says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class FakeEngine:
    """A device whose runs take the seconds of ``times``, one after the other, and compute ``run``."""

    clock: Clock
    times: Iterator[float] = field(default_factory=lambda: repeat(0.01))
    run: Callable[..., Outputs] = lambda *inputs: inputs
    engine: str = "fake"
    compile_s: float = 0.5
    version: str = "1"
    memory: Memory = HOST
    compiled: int = 0
    closed: int = 0
    runs: int = 0

    @property
    def info(self) -> DeviceInfo:
        return DeviceInfo(
            f"cpu/{self.engine}", self.engine, self.version, "cpu", "test", "test", ("function",)
        )

    def variants(self, op: Op, specs: Specs) -> Offers:
        return Offers((Variant(),))

    def compile(self, op: Op, variant: Variant) -> Executable:
        self.compiled += 1
        self.clock.sleep(self.compile_s)
        return DirectExecutable(self._timed, self._close)

    def _timed(self, *inputs: Any) -> Outputs:
        self.runs += 1
        self.clock.sleep(next(self.times))
        return self.run(*inputs)

    def _close(self) -> None:
        self.closed += 1


def identity(x: Any) -> Any:
    return x


IDENTITY = FunctionOp(identity)
PLAIN = Variant()


def call(size: int = 4) -> Call:
    value = np.arange(1, size + 1, dtype=np.float32)
    return Call((value,), (value.copy(),))


def candidate(
    engine: FakeEngine, *calls: Call, path: str = "node", variant: Variant = PLAIN, op: Op = IDENTITY
) -> Candidate:
    return Candidate(path, engine, CPU, op, variant, calls or (call(),))


def profiler(clock: Clock, store: ProfileStore | None = None, **options: Any) -> Profiler:
    return Profiler(store, clock=clock, sleep=clock.sleep, now=lambda: 1000.0, **options)


def key(number: int = 0, device: str = "device") -> ProfileKey:
    return ProfileKey(f"op{number}", device, "fp32 threads=1", "float32[4]")


def measurement(seconds: float = 0.01, at: float = 1000.0, error: float | None = 0.0) -> Measurement:
    return Measurement(seconds, seconds / 100, seconds * 0.99, seconds * 1.01, 10, 0.5, error, at)


def store_in(folder: Path, **options: Any) -> ProfileStore:
    return ProfileStore(folder / "profiles.sqlite", **options)
