"""What sessions are looked at for while they run: nodes that drift from their predictions, and profiles to correct.

One thread for all sessions of the process, which reads figures that are kept anyway: a request pays nothing for it. A
session is looked at after its first second, then after twice as long each time, up to once a minute.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Protocol

from hetero.cost.measurement import ProfileKey
from hetero.events import EventLog, log
from hetero.planning.corrections import corrections, file_corrections
from hetero.planning.drift import drifts, outlook, unplanned_shapes
from hetero.plans import Plan
from hetero.run.timing import NodeStats

__all__ = ["Look", "forget", "watch"]

FIRST_S = 1.0
LONGEST_S = 60.0
CHANGED = 0.05
"""A correction that moved by less than this share is not filed again."""

LAST_LOOK_S = 10.0
"""For a look that is under way when the process ends."""


class Look:
    """Looks at one session's figures. ``tell`` says each drift once, and again where it was over meanwhile."""

    def __init__(self, log: EventLog, now: Callable[[], float] = time.time) -> None:
        self._log, self._now = log, now
        self._drifted: frozenset[str] = frozenset()
        self._filed: dict[ProfileKey, float] = {}
        self._lock = threading.Lock()

    def tell(self, plan: Plan, stats: Mapping[str, NodeStats]) -> None:
        """One event for the nodes that have drifted since: the farthest first, and what planning again would gain.

        Where the whole machine is slow all nodes drift at once, and an event for each would bury the others.
        """
        with self._lock:
            found = drifts(stats)
            new = [drift for drift in found if drift.path not in self._drifted]
            self._drifted = frozenset(drift.path for drift in found)
            if new:
                farthest, *others = new
                unlike = unplanned_shapes(plan, stats, farthest.path)
                why = f"; it was not planned for {unlike[-1]}, with which it is called" if unlike else ""
                also = f"; {', '.join(drift.path for drift in others)} drifted less" if others else ""
                self._log.add(
                    "drift", farthest.path, f"{farthest.message}{why}{also}; {outlook(plan, stats)}"
                )

    def correct(self, plan: Plan, stats: Mapping[str, NodeStats]) -> None:
        """File what the runs correct in the profiles, as far as it is new."""
        with self._lock:
            found = {
                key: correction
                for key, correction in corrections(plan, stats, self._now()).items()
                if abs(correction.seconds / self._filed.get(key, correction.seconds / 2) - 1) > CHANGED
            }
            file_corrections(plan, found)
            self._filed |= {key: correction.seconds for key, correction in found.items()}


class Watched(Protocol):
    def look(self) -> None:
        """Look at the figures now."""


class _Watch:
    """The thread, and when it has to look at whom. It ends with the last session."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: weakref.WeakKeyDictionary[Watched, tuple[float, float]] = weakref.WeakKeyDictionary()
        self._thread: threading.Thread | None = None

    def add(self, session: Watched) -> None:
        with self._changed:
            self._due[session] = time.monotonic() + FIRST_S, FIRST_S
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="hetero watch", daemon=True)
                self._thread.start()
            self._changed.notify()

    def discard(self, session: Watched) -> None:
        with self._changed:
            self._due.pop(session, None)
            self._changed.notify()

    def end(self) -> None:
        """Look at nobody any more, and wait for the look that is under way."""
        with self._changed:
            self._due.clear()
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(LAST_LOOK_S)

    def _loop(self) -> None:
        while True:
            with self._changed:
                if not self._due:
                    self._thread = None
                    return
                now_s = time.monotonic()
                session, (due_s, pause_s) = min(self._due.items(), key=lambda item: item[1])
                if due_s > now_s:
                    del session  # who waits keeps no session alive
                    self._changed.wait(due_s - now_s)
                    continue
                pause_s = min(2 * pause_s, LONGEST_S)
                self._due[session] = now_s + pause_s, pause_s
            try:
                session.look()
            except Exception:  # whatever is wrong with one session, the others are still to be looked at
                log.exception("the figures of a session could not be looked at")
            del session


_watch = _Watch()


def watch(session: Watched) -> None:
    """Look at this session from time to time."""
    _watch.add(session)


def forget(session: Watched) -> None:
    """A session that is closed."""
    _watch.discard(session)


@atexit.register
def _at_exit() -> None:
    """A daemon thread that is still in a library's C++ code when the interpreter goes away aborts the process."""
    _watch.end()


def _after_fork() -> None:  # threads do not survive it, and sessions neither
    global _watch
    _watch = _Watch()


if hasattr(os, "register_at_fork"):  # where processes can be forked at all
    os.register_at_fork(after_in_child=_after_fork)
