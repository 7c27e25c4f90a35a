"""Circuits whose memory nobody can foretell are measured in a process that is ended when it takes too much.

A matrix product state or a decision diagram may grow far beyond what is likely, and a run in this process cannot be
ended: measuring one would take the planner with it. What was measured so may run in this process afterwards: by then it
is known to fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from hetero.cost.circuits import forecasts
from hetero.cost.memory_guard import MemoryGuard
from hetero.device import HOST, Device, DeviceInfo, Executable, Offers, Pending, Variant
from hetero.errors import DeviceError, WorkerError
from hetero.isolation import ProcessDevice, ProcessRun
from hetero.ops.base import Op, Outputs
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_features import human_bytes
from hetero.registry import open_device
from hetero.values import Specs
from hetero.worker_process import WorkerProcess

__all__ = ["GuardedDevice", "device_for", "is_risky"]

SHARE = 0.75
"""Of the processor's memory, that a run which is measured may hold."""


def device_for(info: DeviceInfo, op: Op, variant: Variant, specs: Specs) -> Device:
    """The device to measure on: a guarded one where the memory of a run is a guess that may be far too small."""
    if info.memory_bytes is None or not is_risky(info, op, variant, specs):
        return open_device(info)
    return GuardedDevice(_apart(info), info, SHARE * info.memory_bytes)


def is_risky(info: DeviceInfo, op: Op, variant: Variant, specs: Specs) -> bool:
    """Whether a run may hold more than its share of the processor's memory, for all that is known before."""
    if not isinstance(op, CircuitOp) or info.memory_bytes is None:
        return False
    (told,) = forecasts(op, specs, [(info, variant)], dry_run=False)
    return told is not None and not told.certain and told.worst_bytes > SHARE * info.memory_bytes


@cache
def _apart(info: DeviceInfo) -> ProcessDevice:
    device = open_device(info)
    if isinstance(device, ProcessDevice):
        return device
    return ProcessDevice(replace(info, isolation="process"), WorkerProcess(f"{info.name} (guarded)"))


class GuardedDevice:
    """A device in a worker process that may hold ``limit_bytes``; called by the name and facts of ``info``.

    Raises (from what it runs):
        DeviceError: the process grew past the limit and was killed. It starts again at the next use.
    """

    memory = HOST

    def __init__(self, device: ProcessDevice, info: DeviceInfo, limit_bytes: float) -> None:
        self.info = info
        self._device, self._limit_bytes = device, limit_bytes

    def variants(self, op: Op, specs: Specs) -> Offers:
        return self._device.variants(op, specs)

    def compile(self, op: Op, variant: Variant) -> Executable:
        return _GuardedExecutable(self, self.watched(lambda: self._device.compile(op, variant)))

    def watched(self, work: Callable[[], Any]) -> Any:
        """Do something in the process, under the guard."""
        self._device.opened()
        guard = MemoryGuard(self._device.worker.pid, self._limit_bytes)
        try:
            with guard:
                return work()
        except WorkerError as error:
            if not guard.exceeded:
                raise
            # Not a WorkerError: it would do the same again, and need not be tried at the next planning.
            raise DeviceError(
                f"{self.info.name}: its process grew past {human_bytes(self._limit_bytes)} while it was measured, and "
                "was killed"
            ) from error


class _GuardedExecutable:
    def __init__(self, device: GuardedDevice, executable: Executable) -> None:
        self._device, self._executable = device, executable

    def start(self, inputs: Sequence[Any]) -> Pending:
        def run(timeout_s: float | None) -> Outputs:
            outputs: Outputs = self._device.watched(lambda: self._executable.start(inputs).wait(timeout_s))
            return outputs

        return ProcessRun(run)

    def close(self) -> None:
        self._executable.close()
