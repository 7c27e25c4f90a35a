"""The devices and executables of a program, opened: what its instructions call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias, runtime_checkable

from hetero.containers import each_part
from hetero.device import Device, DeviceInfo, DirectExecutable, Executable, Memory, refuse
from hetero.errors import DeviceError
from hetero.events import Event, EventLog
from hetero.machine import Machine
from hetero.ops.base import Op, Outputs
from hetero.run.program import Build
from hetero.values import nbytes_of

__all__ = ["UNGATED", "Gate", "Mover", "Opened"]

Gate: TypeAlias = AbstractContextManager[Any]

UNGATED = 64
"""From this ``concurrency`` on a device takes as many calls as there are threads here, so none is held back."""


@runtime_checkable
class Eventful(Protocol):
    """A device with a story to tell."""

    log: EventLog


class Opened:
    """Executables by their number in the program.

    Raises:
        DeviceError: a node cannot be compiled; the message names it.
    """

    def __init__(
        self, builds: Mapping[int, Build], machine: Machine, open_device: Callable[[DeviceInfo], Device]
    ) -> None:
        self.spaces: dict[int, str] = {}
        self.ops: dict[int, Op] = {}
        self.runs: dict[int, Callable[..., Outputs]] = {}
        self.gates: dict[int, Gate | None] = {}
        self._memories: dict[str, Memory] = {}
        self._executables: list[Executable] = []
        self._devices: list[Device] = []
        self._builds: list[tuple[Device, Build]] = []
        self._since_s = time.time()
        try:
            for number, build in sorted(builds.items(), key=lambda item: item[0]):
                self._open(number, build, machine.device(build.device), open_device)
        except BaseException:
            self.close()
            raise

    def _open(
        self, number: int, build: Build, info: DeviceInfo, open_device: Callable[[DeviceInfo], Device]
    ) -> None:
        try:
            device = open_device(info)
            executable = device.compile(build.op, build.variant)
        except Exception as error:  # whatever an engine raises, the user wants to know of which node
            kind = type(error) if isinstance(error, DeviceError) else DeviceError
            nodes = ", ".join(map(repr, build.paths))
            refusal = kind(f"node {nodes}: {error}")
            refusal.device = info.name
            raise refusal from error
        self._builds.append((device, build))
        self._executables.append(executable)
        if device not in self._devices:
            self._devices.append(device)
        self._memories.setdefault(info.memory_space, device.memory)
        self.ops[number] = build.op
        self.spaces[number] = info.memory_space
        self.runs[number] = _caller(executable, build.patience_s)
        self.gates[number] = _gate(info.concurrency)

    def memory(self, space: str) -> Memory:
        return self._memories[space]

    def events(self) -> Sequence[Event]:
        """What happened to devices in processes of their own since they were opened here."""
        logs = [device.log for device in self._devices if isinstance(device, Eventful)]
        return sorted((e for log in logs for e in log.since(self._since_s)), key=lambda event: event.time_s)

    def probe(self, device: str) -> None:
        """Build again, and drop, what is on a device.

        Raises:
            DeviceError: it does not work.
        """
        for found, build in self._builds:
            if build.device == device:
                try:
                    found.compile(build.op, build.variant).close()
                except DeviceError:
                    raise
                except Exception as error:  # a broken engine may raise anything
                    raise refuse(device, build.op, error) from error

    def close(self) -> None:
        """Close every executable, in the reverse order of opening; the first error is raised after the last."""
        errors: list[Exception] = []
        while self._executables:
            try:
                self._executables.pop().close()
            except Exception as error:  # the others must be closed too; raised below
                errors.append(error)
        if errors:
            raise errors[0]


class Mover:
    """Copies values between the host and one memory space, and counts the bytes."""

    def __init__(self, copy: Callable[[Any], Any], counts_result: bool) -> None:
        self._copy, self._counts_result = copy, counts_result
        self.nbytes = 0
        self._lock = threading.Lock()

    def __call__(self, value: Any) -> Any:
        moved = each_part(self._copy, value)
        size = nbytes_of(moved if self._counts_result else value)
        with self._lock:
            self.nbytes += size
        return moved


def _caller(executable: Executable, patience_s: float | None) -> Callable[..., Outputs]:
    """One call that runs the executable to its end, or as far as its device can stop what takes too long."""
    if isinstance(executable, DirectExecutable):
        return executable.run
    start = executable.start

    def run(*inputs: Any) -> Sequence[Any]:
        return start(inputs).wait(patience_s)

    return run  # type: ignore[return-value]  # an engine may give a list; it is unpacked at once


def _gate(concurrency: int) -> Gate | None:
    if concurrency >= UNGATED:
        return None
    return threading.Lock() if concurrency == 1 else threading.BoundedSemaphore(concurrency)
