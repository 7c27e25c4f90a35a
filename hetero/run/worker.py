"""A device in a process of its own: ``python -m hetero.run.worker``, started by ``hetero.worker_process``.

It serves one request after the other and ends when its parent closes the pipe or dies. It never imports the
parent's ``__main__``: functions and classes arrive by value.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from itertools import count
from multiprocessing.connection import Connection
from typing import Any

from hetero.containers import each_part
from hetero.device import Device, DeviceInfo, Executable, Offers, Variant
from hetero.errors import DeviceError
from hetero.ops.base import Op
from hetero.values import Specs
from hetero.wire import Arena, Channel, Handle

__all__ = ["Worker", "main"]

PARENT_CHECK_S = 2.0


class Worker:
    """Answers requests about the devices of one memory space. Their tensors stay here, known by tokens."""

    def __init__(self, generation: int) -> None:
        self._generation = generation
        self._devices: dict[str, Device] = {}
        self._executables: dict[int, tuple[Executable, bool]] = {}
        self._values: dict[int, Any] = {}
        self._serial = count(1)
        self._verbs: dict[str, Callable[..., Any]] = {
            "open": self.open,
            "variants": self.variants,
            "compile": self.compile,
            "run": self.run,
            "discard": self.discard,
            "put": self.put,
            "get": self.get,
        }

    def answer(self, verb: str, arguments: tuple[Any, ...], dropped: list[int]) -> Any:
        for token in dropped:
            self._values.pop(token, None)
        return self._verbs[verb](*arguments)

    def open(self, info: DeviceInfo) -> None:
        from hetero.registry import open_here

        if info.name not in self._devices:
            self._devices[info.name] = open_here(info)

    def variants(self, device: str, op: Op, specs: Specs) -> Offers:
        return self._devices[device].variants(op, specs)

    def compile(self, device: str, op: Op, variant: Variant) -> int:
        found = self._devices[device]
        number = next(self._serial)
        self._executables[number] = (found.compile(op, variant), found.info.memory_space != "host")
        return number

    def run(self, number: int, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        executable, keeps = self._executables[number]
        outputs = executable.start(each_part(self._resolved, list(inputs))).wait()
        return tuple(map(self._kept, outputs)) if keeps else tuple(outputs)

    def discard(self, number: int) -> None:
        executable, _ = self._executables.pop(number)
        executable.close()

    def put(self, device: str, value: Any) -> Handle:
        return self._kept(self._devices[device].memory.put(value))

    def get(self, device: str, handle: Handle) -> Any:
        return self._devices[device].memory.get(self._resolved(handle))

    def close(self) -> None:
        self._values.clear()
        for executable, _ in self._executables.values():
            executable.close()

    def _kept(self, value: Any) -> Handle:
        token = next(self._serial)
        self._values[token] = value
        return Handle(token, self._generation)

    def _resolved(self, value: Any) -> Any:
        return self._values[value.token] if isinstance(value, Handle) else value


def serve(channel: Channel, worker: Worker) -> None:
    """Answer until the other side is gone: ``(True, value)``, or ``(False, error, its traceback as text)``."""
    while True:
        try:
            verb, arguments, dropped = channel.recv()
        except EOFError:
            return
        except Exception as error:  # a message that cannot be read here: its sender is told
            _reply(channel, _failure(error))
            continue
        try:
            answer: tuple[Any, ...] = (True, worker.answer(verb, arguments, dropped))
        except Exception as error:  # what a node or an engine raises is the caller's to handle
            answer = _failure(error)
        del arguments
        _reply(channel, answer)
        del answer  # its memory serves the next request, and is warm


def _reply(channel: Channel, answer: tuple[Any, ...]) -> None:
    try:
        packed = channel.pack(answer)
    except Exception as error:  # a result or an error that cannot travel: say what it was instead
        what = answer[1]
        text = f"a {type(what).__module__}.{type(what).__qualname__} cannot leave its worker process: {error}"
        if not answer[0]:
            text = f"{type(what).__name__}: {what}"
        packed = channel.pack((False, DeviceError(text), "" if answer[0] else answer[2]))
    with contextlib.suppress(OSError):  # the parent is gone; the next recv says so
        channel.send(packed)


def _failure(error: Exception) -> tuple[Any, ...]:
    # Frames of this module say nothing to a user: the text begins where the device or the node does.
    return (False, error, "".join(traceback.format_exception(error)))


def _end_with(parent: int) -> None:
    """End this process when its parent has died, even while an engine hangs."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os._exit(1)


def main(arguments: list[str]) -> None:
    socket, shared, generation = map(int, arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # they are for the parent, which then closes the pipe
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    worker = Worker(generation)
    serve(Channel(Connection(socket), Arena(shared)), worker)
    with contextlib.suppress(DeviceError):  # nobody is left to be told
        worker.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # some engines crash in the interpreter's own teardown


if __name__ == "__main__":
    # As ``-m`` this file is ``__main__``: run the importable module, whose classes have the same name on both sides.
    from hetero.run import worker as module

    module.main(sys.argv[1:])
