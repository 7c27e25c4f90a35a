"""Dry runs of decision diagrams in a worker process, killed where they take longer than they may.

A single gate can cost a diagram 2**n steps inside one call of the engine, which nothing in this process could end. The
worker is started beforehand; while one is being started again, short questions go without an answer rather than wait.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING

from hetero.device import DeviceInfo, Executable, Variant
from hetero.errors import DeviceError, WorkerError
from hetero.events import EventLog
from hetero.isolation import ProcessDevice
from hetero.ops.circuit_growth import Growth, diagram_growth
from hetero.ops.function import FunctionOp
from hetero.worker_process import WorkerProcess

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["dry_growth", "ready_dry_run", "warm_dry_run"]

START_S = 2.0
"""A worker is up after about this long: worth waiting for where more than that is at stake."""


def dry_growth(circuit: QuantumCircuit, limit_nodes: int, patience_s: float) -> Growth | None:
    """`diagram_growth`, or what is known where it was killed: that it does not end within ``limit_nodes`` visits.

    None where no worker is ready and waiting is not worth it, or the dry run cannot be made.
    """
    runner = _runner()
    if not runner.ready.is_set():
        warm_dry_run()
        if patience_s < START_S:
            return None
    try:
        executable = runner.executable()
        (found,) = executable.start((circuit, limit_nodes)).wait(patience_s)
    except WorkerError:
        runner.ready.clear()
        warm_dry_run()
        gates = len(circuit.data)
        return Growth(limit_nodes, limit_nodes, 0, gates)
    except DeviceError:
        return None
    return found if isinstance(found, Growth) else None


def warm_dry_run() -> None:
    """Have the worker started, without waiting for it."""
    runner = _runner()
    if not runner.ready.is_set():
        threading.Thread(target=runner.warm, name="hetero warms dry runs", daemon=True).start()


def ready_dry_run() -> None:
    """Wait until the worker is started: for who has the time, and wants an answer the first time already."""
    runner = _runner()
    if not runner.ready.is_set():
        runner.warm()


class _Silent(EventLog):
    """That a dry run is killed is an answer, not an event."""

    def add(self, kind: str, subject: str, message: str) -> None:
        return


class _Runner:
    """The function in its worker, compiled once."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self._lock = threading.Lock()
        info = DeviceInfo(
            "cpu/dry-run", "python", "", "cpu", "", "hetero", ("function",), isolation="process"
        )
        worker = WorkerProcess("dry runs of decision diagrams")
        worker.log = _Silent()
        self._device = ProcessDevice(info, worker)
        self._executable: Executable | None = None

    def executable(self) -> Executable:
        with self._lock:
            if self._executable is None:
                self._executable = self._device.compile(FunctionOp(diagram_growth), Variant("native"))
            return self._executable

    def warm(self) -> None:
        """Run something small, which imports the engines there."""
        from qiskit import QuantumCircuit

        circuit = QuantumCircuit(1)
        circuit.h(0)
        try:
            self.executable().start((circuit, 10)).wait()
        except DeviceError:
            return  # whoever asks next does without
        self.ready.set()


@cache
def _runner() -> _Runner:
    return _Runner()
