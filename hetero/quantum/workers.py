"""Where circuits run: compiled once and kept, in this process or in one that can be killed, started beforehand."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import Any

from hetero.cost.circuit_corrections import corrections
from hetero.cost.circuit_laws import DIAGRAMS
from hetero.cost.dry_run import warm_dry_run
from hetero.cost.memory_guard import MemoryGuard
from hetero.device import DeviceInfo, Executable, Variant
from hetero.errors import DeviceError, WorkerError
from hetero.isolation import ProcessDevice
from hetero.ops.base import Outputs
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_features import human_bytes
from hetero.quantum.ways import Way
from hetero.registry import open_device
from hetero.worker_process import WorkerProcess

__all__ = ["Kept", "allowance", "killable", "lanes_ready", "open_lanes", "run", "run_on", "warm"]

MOST_KEPT = 32
"""Compiled circuits that stay: a variational loop runs few, over and over."""


MEMORY_FACTOR, MEMORY_LEAST, MEMORY_SHARE = 4.0, float(2 << 30), 0.75
"""An uncertain way may take so many times the memory that is forecast for it, at least so many bytes (0.3 GiB of them
are what a process has loaded), and at most this share of the processor's."""


class Kept:
    """Compiled circuits by content and way, the least recently used closed first. One call at a time in each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[str, str, str, int | None], tuple[Executable, threading.Lock]] = (
            OrderedDict()
        )

    def get(
        self, op: CircuitOp, info: DeviceInfo, variant: Variant, lane: int | None = None
    ) -> tuple[Executable, threading.Lock]:
        """The executable, compiled if it is not there.

        Raises:
            DeviceError: the engine refused.
        """
        key = (op.kind, op.digest, f"{info.name} {variant}", lane)
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        device = open_device(info) if lane is None else killable(info, lane)
        found = (device.compile(op, variant), threading.Lock())
        with self._lock:
            self._found[key] = found
            old = [self._found.popitem(last=False)[1] for _ in range(len(self._found) - MOST_KEPT)]
        for executable, busy in old:
            with busy:
                executable.close()
        return found


_kept = Kept()


def run(op: CircuitOp, way: Way, inputs: Sequence[Any], patience_s: float | None, lane: int = 0) -> Outputs:
    """Compile and run. With a patience the run is in a process of its own, which is killed when it is spent, or when
    the process grows past its allowance of memory; in a lane other than 0 every run is in the lane's process.

    Raises:
        WorkerError: the patience or the allowance was spent, or the process died.
        DeviceError: the engine failed.
    """
    apart = patience_s is not None or lane > 0
    executable, busy = _kept.get(op, way.info, way.variant, lane if apart else None)
    told = way.forecast
    guard = MemoryGuard(
        None if told.certain or not apart else killable(way.info, lane).worker.pid, allowance(way)
    )
    with busy:
        started = time.perf_counter()
        try:
            with guard:
                outputs = executable.start(inputs).wait(patience_s)
        except WorkerError as error:
            again(way.info, lane)
            if guard.exceeded:
                raise WorkerError(
                    f"{way}: its process grew past {human_bytes(allowance(way))} and was killed; "
                    f"{human_bytes(told.memory_bytes)} were forecast"
                ) from error
            raise
        seconds = time.perf_counter() - started
    if told.certain and not lane:  # lanes slow each other down
        corrections().observe(told.method, told.seconds / told.correction, seconds)
    return outputs


def run_on(op: CircuitOp, info: DeviceInfo, variant: Variant, inputs: Sequence[Any]) -> Outputs:
    """Compile and run on a device that needs no choosing.

    Raises:
        DeviceError: the engine failed.
    """
    executable, busy = _kept.get(op, info, variant)
    with busy:
        return executable.start(inputs).wait()


def allowance(way: Way) -> float:
    """Bytes that the process of an uncertain way may hold: some times its forecast, and never all that there is."""
    wanted = max(MEMORY_FACTOR * way.forecast.memory_bytes, MEMORY_LEAST)
    most = way.info.memory_bytes
    return wanted if most is None else min(wanted, MEMORY_SHARE * most)


@cache
def killable(info: DeviceInfo, lane: int = 0) -> ProcessDevice:
    """The device in a worker process: in the lane's, which all its devices share; in lane 0 in its own, or in one more
    for a device that runs in this process otherwise."""
    apart = replace(info, isolation="process")
    if lane:
        return ProcessDevice(apart, _lane(lane))
    device = open_device(info)
    if isinstance(device, ProcessDevice):
        return device
    return ProcessDevice(apart, WorkerProcess(f"{info.name} (killable)"))


@cache
def _lane(lane: int) -> WorkerProcess:
    return WorkerProcess(f"circuits, lane {lane}")


def lanes_ready(count: int) -> bool:
    """Whether the processes of lanes 1 to ``count`` run."""
    return all(_lane(lane).pid for lane in range(1, count + 1))


def open_lanes(infos: Sequence[DeviceInfo], count: int) -> None:
    """Start the processes of lanes 1 to ``count``, all at once, and open the devices in them that can be opened."""

    def opened(lane: int) -> None:
        for info in infos:
            _opened(killable(info, lane))

    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(opened, lane) for lane in range(1, count + 1)]:
            done.result()


def again(info: DeviceInfo, lane: int = 0) -> None:
    """Have a device's killed worker started again, so that the next one finds it ready."""
    device = killable(info, lane)
    threading.Thread(target=_opened, args=(device,), name="hetero restarts a worker", daemon=True).start()


def _opened(device: ProcessDevice) -> None:
    try:
        device.opened()
    except DeviceError:
        return  # whoever uses it next is told why


def warm(*infos: DeviceInfo) -> None:
    """Have the worker processes of dry runs and of those of these devices that need one started, without waiting."""
    apart = [info for info in infos if info.isolation == "process"]

    if any(info.engine == DIAGRAMS for info in infos):
        warm_dry_run()
    for info in apart:
        again(info)
