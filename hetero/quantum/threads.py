"""Threads for jobs, kept when a job is done: starting one costs as much as a small job.

Not a ThreadPoolExecutor: its threads are few, and waited for when the interpreter ends, which a simulator that hangs
would keep from ending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

__all__ = ["begin"]

_idle: list[SimpleQueue[Callable[[], None]]] = []
"""The door of each thread that waits; appending and popping need no lock."""


def begin(work: Callable[[], None]) -> None:
    """Have a thread do this: one that waits, or a new one. ``work`` must not raise."""
    try:
        door = _idle.pop()
    except IndexError:
        door = SimpleQueue()
        threading.Thread(target=_loop, args=(door,), name="hetero job", daemon=True).start()
    door.put(work)


def _loop(door: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        work = door.get()
        work()
        del work
        _idle.append(door)
