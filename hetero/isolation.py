"""Devices in a home of their own: one thread, or a worker process. Either way it is a ``Device`` like any other.

A WebGPU queue that only one thread may touch, a simulator that may hang, an engine that crashes when its process ends:
all of them say so in ``DeviceInfo.isolation``, and nothing else in hetero needs to know.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from queue import SimpleQueue
from typing import Any

from hetero.containers import each_part
from hetero.device import HOST, Device, DeviceInfo, Done, Executable, Memory, Offers, Pending, Variant
from hetero.errors import ClosedError, WorkerError
from hetero.events import EventLog
from hetero.latch import Latch
from hetero.ops.base import Op, Outputs
from hetero.values import Specs
from hetero.wire import Handle
from hetero.worker_process import WorkerProcess

__all__ = ["ProcessDevice", "ProcessRun", "ThreadDevice", "isolated"]


def isolated(info: DeviceInfo) -> Device:
    """The device that ``info`` describes, in the home of its own that it asks for."""
    if info.isolation == "process":
        return ProcessDevice(info)
    from hetero.registry import open_here

    return ThreadDevice(info, partial(open_here, info))


@cache
def _worker(home: str) -> WorkerProcess:
    return WorkerProcess(home)


def worker_of(info: DeviceInfo) -> WorkerProcess:
    """The worker process of a device. Devices of one foreign memory space share it: so they share tensors."""
    return _worker(info.name if info.memory_space == "host" else info.memory_space)


class ProcessDevice:
    """A device that lives in a worker process; tensors of a foreign memory space stay there, handles travel.

    Raises (from every method):
        WorkerError: the process died or kept silent. It starts again at the next use.
    """

    def __init__(self, info: DeviceInfo, worker: WorkerProcess | None = None) -> None:
        self.info = info
        self.worker = worker or worker_of(info)
        self.memory: Memory = HOST if info.memory_space == "host" else _ProcessMemory(self)
        self._opened_in = 0

    @property
    def log(self) -> EventLog:
        return self.worker.log

    def variants(self, op: Op, specs: Specs) -> Offers:
        offers: Offers = self.ask("variants", self.info.name, op, specs)
        return offers

    def compile(self, op: Op, variant: Variant) -> Executable:
        executable = _ProcessExecutable(self, op, variant)
        executable.build()
        return executable

    def ask(self, verb: str, *arguments: Any, timeout_s: float | None = None) -> Any:
        with self.worker.lock:
            return self.worker.ask(verb, *arguments, timeout_s=timeout_s, generation=self.opened())

    def opened(self) -> int:
        """Make sure that the worker runs and has opened this device; which start of the worker that is."""
        with self.worker.lock:
            generation = self.worker.ready()
            if self._opened_in != generation:
                self.worker.ask("open", self.info, generation=generation)
                self._opened_in = generation
            return generation

    def close(self) -> None:
        """End the worker process, and with it all devices in it."""
        self.worker.close()


class _ProcessMemory:
    """The memory space of a device in a worker process: what is here are handles."""

    def __init__(self, device: ProcessDevice) -> None:
        self._device = device
        self.space = device.info.memory_space

    def put(self, value: Any) -> Any:
        return self._device.ask("put", self._device.info.name, value)

    def get(self, value: Any) -> Any:
        worker = self._device.worker
        with worker.lock:
            generation = _check(self._device, value)
            return worker.ask("get", self._device.info.name, value, generation=generation)


class _ProcessExecutable:
    """An executable in a worker process; built again in each worker that has not got it yet."""

    def __init__(self, device: ProcessDevice, op: Op, variant: Variant) -> None:
        self._device, self._op, self._variant = device, op, variant
        self._built_in = 0
        self._number = 0
        self._closed = False

    def build(self) -> int:
        """Make sure that the worker has it; which start of the worker that is."""
        worker = self._device.worker
        with worker.lock:
            if self._closed:
                raise ClosedError(f"{self._device.info.name}: {self._op.name!r} was closed; compile it again")
            generation = self._device.opened()
            if self._built_in != generation:
                asked = "compile", self._device.info.name, self._op, self._variant
                self._number = worker.ask(*asked, generation=generation)
                self._built_in = generation
            return generation

    def start(self, inputs: Sequence[Any]) -> Pending:
        return ProcessRun(partial(self._run, tuple(inputs)))

    def _run(self, inputs: tuple[Any, ...], timeout_s: float | None) -> Outputs:
        worker = self._device.worker
        with worker.lock:
            generation = self.build()
            each_part(partial(_check, self._device), list(inputs))
            outputs: Outputs = worker.ask(
                "run", self._number, inputs, timeout_s=timeout_s, generation=generation
            )
            return outputs

    def close(self) -> None:
        worker = self._device.worker
        with worker.lock:
            built_in, self._closed, self._built_in = self._built_in, True, 0
            if built_in and worker.pid and built_in == worker.generation:
                with suppress(WorkerError):  # a process that dies just now takes it along
                    worker.ask("discard", self._number, generation=built_in)


class ProcessRun:
    """A worker serves one request at a time, so the run is made where it is waited for."""

    token = None

    def __init__(self, run: Callable[[float | None], Outputs]) -> None:
        self._run = run
        self._cancelled = False

    def wait(self, timeout_s: float | None = None) -> Outputs:
        if self._cancelled:
            raise WorkerError("this run was cancelled before it was made")
        return self._run(timeout_s)

    def cancel(self) -> bool:
        self._cancelled = True
        return True


def _check(device: ProcessDevice, value: Any) -> int:
    """Which start of the worker has a value; raises where that process is gone."""
    generation = device.opened()
    if isinstance(value, Handle) and value.generation != generation:
        raise WorkerError(
            f"{device.info.name}: a value of this request was in a worker process that is gone; run the request again"
        )
    return generation


class ThreadDevice:
    """A device all of whose work is done by one thread of its own, opening included."""

    def __init__(self, info: DeviceInfo, open_device: Callable[[], Device]) -> None:
        self.info = info
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        # A daemon that is never joined: an engine that hangs must not keep the interpreter from ending.
        threading.Thread(target=self._loop, name=f"hetero {info.name}", daemon=True).start()
        self._device: Device = self.do(open_device)
        self.memory: Memory = (
            HOST if info.memory_space == "host" else _ThreadMemory(self, self._device.memory)
        )

    def variants(self, op: Op, specs: Specs) -> Offers:
        offers: Offers = self.do(partial(self._device.variants, op, specs))
        return offers

    def compile(self, op: Op, variant: Variant) -> Executable:
        return _ThreadExecutable(self, self.do(partial(self._device.compile, op, variant)))

    def do(self, work: Callable[[], Any]) -> Any:
        """Have the thread do something; its result, or what it raised."""
        latch = Latch()

        def job() -> None:
            try:
                latch.set(work(), None)
            except BaseException as error:  # it belongs to who asked, not to the thread
                latch.set(None, error)

        self._jobs.put(job)
        return latch.wait()

    def _loop(self) -> None:
        while True:
            job = self._jobs.get()
            job()
            del job


class _ThreadMemory:
    def __init__(self, device: ThreadDevice, memory: Memory) -> None:
        self._device, self._memory = device, memory
        self.space = memory.space

    def put(self, value: Any) -> Any:
        return self._device.do(partial(self._memory.put, value))

    def get(self, value: Any) -> Any:
        return self._device.do(partial(self._memory.get, value))


class _ThreadExecutable:
    def __init__(self, device: ThreadDevice, executable: Executable) -> None:
        self._device, self._executable = device, executable

    def start(self, inputs: Sequence[Any]) -> Pending:
        return Done(self._device.do(lambda: self._executable.start(inputs).wait()))

    def close(self) -> None:
        self._device.do(self._executable.close)
