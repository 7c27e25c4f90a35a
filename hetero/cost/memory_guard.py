"""End a worker process that grows past the memory it was given, since nobody knows what an uncertain simulation takes.

It is watched from outside. A limit of the operating system's own (RLIMIT_AS) would count what is mapped and never
touched, and engines answer a failed allocation in ways of their own, from an error to a hang.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path
from types import TracebackType

__all__ = ["MemoryGuard"]

EVERY_S = 0.02
"""A process that does nothing else fills some 100 MB meanwhile."""


class MemoryGuard:
    """Kills process ``pid`` when it holds more than ``limit_bytes`` while the block runs; ``exceeded`` says if it did.

    Where the operating system has no /proc nothing is watched.
    """

    def __init__(self, pid: int | None, limit_bytes: float) -> None:
        self.exceeded = False
        self._pid, self._limit_bytes = pid, limit_bytes
        self._over = threading.Event()

    def __enter__(self) -> MemoryGuard:
        if self._pid is not None and Path("/proc/self/statm").exists():
            threading.Thread(
                target=self._watch, args=(self._pid,), name="hetero memory guard", daemon=True
            ).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()

    def _watch(self, pid: int) -> None:
        while not self._over.is_set():
            try:
                held = resident_bytes(pid)
            except OSError:  # it is gone
                return
            if held > self._limit_bytes:
                self.exceeded = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                return
            self._over.wait(EVERY_S)


def resident_bytes(pid: int) -> int:
    """What a process holds in memory.

    Raises:
        OSError: there is no such process.
    """
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
