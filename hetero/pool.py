"""One device in several worker processes, as many as its ``concurrency``: each call has a process for itself.

Not for safety, as a single worker process is, but for speed: Python code holds the interpreter lock of its process, so
functions run side by side only in processes of their own. Workers start when that many calls are inside for the first
time, and stay.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from hetero.device import HOST, DeviceInfo, Executable, Memory, Offers, Pending, Variant
from hetero.errors import ClosedError
from hetero.events import EventLog
from hetero.isolation import ProcessDevice, ProcessRun
from hetero.ops.base import Op, Outputs
from hetero.values import Specs
from hetero.worker_process import WorkerProcess

__all__ = ["PoolDevice"]


class PoolDevice:
    """A device of host memory in up to ``info.concurrency`` worker processes.

    Raises (from what runs there):
        WorkerError: a process died or kept silent. It starts again at the next use.
    """

    memory: Memory = HOST

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info
        self.log = EventLog()
        self._members: list[ProcessDevice] = []
        self._idle: list[ProcessDevice] = []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(info.concurrency)

    def variants(self, op: Op, specs: Specs) -> Offers:
        from hetero.registry import open_here  # it stands above this room

        # Answered here: the device is apart for speed, so nothing speaks against its engine in this process.
        return open_here(self.info).variants(op, specs)

    def compile(self, op: Op, variant: Variant) -> Executable:
        executable = _PoolExecutable(self, op, variant)
        with self.member() as member:
            executable.on(member)
        return executable

    @contextmanager
    def member(self) -> Iterator[ProcessDevice]:
        """A worker that nobody else talks to meanwhile: the one that was used last, whose caches are warm."""
        with self._places:
            with self._lock:
                member = self._idle.pop() if self._idle else self._new()
            try:
                yield member
            finally:
                with self._lock:
                    self._idle.append(member)

    def close(self) -> None:
        """End the worker processes."""
        with self._lock:
            members = tuple(self._members)
        for member in members:
            member.close()

    def _new(self) -> ProcessDevice:
        worker = WorkerProcess(f"{self.info.name} {len(self._members) + 1}", log=self.log)
        self._members.append(ProcessDevice(self.info, worker))
        return self._members[-1]


class _PoolExecutable:
    """An op in every worker that has run it so far."""

    def __init__(self, pool: PoolDevice, op: Op, variant: Variant) -> None:
        self._pool, self._op, self._variant = pool, op, variant
        self._built: dict[int, Executable] = {}
        self._closed = False

    def on(self, member: ProcessDevice) -> Executable:
        """The executable in one worker, built there if it is not yet."""
        if self._closed:
            raise ClosedError(f"{self._pool.info.name}: {self._op.name!r} was closed; compile it again")
        found = self._built.get(id(member))
        if found is None:
            found = self._built[id(member)] = member.compile(self._op, self._variant)
        return found

    def start(self, inputs: Sequence[Any]) -> Pending:
        return ProcessRun(partial(self._run, inputs))

    def _run(self, inputs: Sequence[Any], timeout_s: float | None) -> Outputs:
        with self._pool.member() as member:
            return self.on(member).start(inputs).wait(timeout_s)

    def close(self) -> None:
        self._closed = True
        while self._built:
            self._built.popitem()[1].close()
