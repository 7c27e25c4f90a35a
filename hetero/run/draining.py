"""SIGTERM: open sessions take no request any more and answer those under way; then the process ends as it would have.

Who has a SIGTERM handler already keeps it, and calls ``close()`` there. Nothing is installed outside the main thread,
where Python does not let it be.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import weakref
from types import FrameType
from typing import Protocol

__all__ = ["watch"]

GRACE_S = 0.2
"""What is left to whoever has just been given the last answers, to do something with them."""


class Drained(Protocol):
    def stop(self) -> None: ...

    def close(self) -> None: ...


_sessions: weakref.WeakSet[Drained] = weakref.WeakSet()


def watch(session: Drained) -> None:
    """Drain this session when the process is told to end."""
    _sessions.add(session)
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    """At the first signal begin to drain; at the one which that ends with, and at any that a person adds, end."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for session in list(_sessions):
        session.stop()
    # In a thread: this handler interrupts the main thread, which may be inside of the very request to be waited for.
    threading.Thread(target=_drain, name="hetero drain").start()


def _drain() -> None:
    for session in list(_sessions):
        session.close()
    time.sleep(GRACE_S)
    os.kill(os.getpid(), signal.SIGTERM)
