"""SIGTERM: open sessions take no request any more and answer those under way; then the process ends as it would have.

A program that has not said what SIGTERM does would lose the requests that it has accepted. So while a session is open,
and only where the signal has the system's default, there is a handler; with the last session it goes again. A handler
of the program's own is never replaced, whenever it is installed, and calls ``close()`` itself. For programs that want
none of this there is ``leave_sigterm_alone()``. Nothing is installed outside the main thread, where Python does not let
it be.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import weakref
from types import FrameType
from typing import Protocol

__all__ = ["forget", "leave_sigterm_alone", "watch"]

GRACE_S = 0.2
"""What is left to whoever has just been given the last answers, to do something with them."""


class Drained(Protocol):
    def stop(self) -> None: ...

    def close(self) -> None: ...


_sessions: weakref.WeakSet[Drained] = weakref.WeakSet()
_wanted = True


def leave_sigterm_alone() -> None:
    """From now on hetero does nothing about SIGTERM in this process: it ends at once, or as its own handler says."""
    global _wanted
    _wanted = False
    _uninstall()


def watch(session: Drained) -> None:
    """Drain this session when the process is told to end."""
    _sessions.add(session)
    if _wanted and _in_main() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def forget(session: Drained) -> None:
    """A session that is closed; with the last one the handler goes."""
    _sessions.discard(session)
    if not _sessions:
        _uninstall()


def _uninstall() -> None:
    # Elsewhere than in the main thread it stays, and does what the system would do.
    if _in_main() and signal.getsignal(signal.SIGTERM) is _on_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _in_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    """At the first signal begin to drain; at the one which that ends with, and at any that a person adds, end."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sessions = list(_sessions)
    if not sessions:
        os.kill(os.getpid(), signal.SIGTERM)
        return
    for session in sessions:
        session.stop()
    # In a thread: this handler interrupts the main thread, which may be inside of the very request to be waited for.
    threading.Thread(target=_drain, args=(sessions,), name="hetero drain").start()


def _drain(sessions: list[Drained]) -> None:
    for session in sessions:
        session.close()
    time.sleep(GRACE_S)
    os.kill(os.getpid(), signal.SIGTERM)
