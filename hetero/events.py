"""What happened to a session besides its work: a worker that died, a request that was run again."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass

__all__ = ["Event", "EventLog", "Repeated"]

log = logging.getLogger("hetero.run")


@dataclass(frozen=True, slots=True)
class Event:
    """``time_s`` is seconds since the epoch; ``subject`` the device, stage or node concerned."""

    time_s: float
    kind: str
    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}: {self.message}"


class EventLog:
    """The latest events, also told to the logger ``hetero.run`` with ``event_kind``, ``event_subject`` and
    ``event_time_s`` as fields of the record."""

    def __init__(self, size: int = 1000) -> None:
        self._events: deque[Event] = deque(maxlen=size)

    def add(self, kind: str, subject: str, message: str) -> None:
        event = Event(time.time(), kind, subject, message)
        self._events.append(event)
        fields = {"event_kind": kind, "event_subject": subject, "event_time_s": event.time_s}
        log.warning("%s", event, extra=fields)

    def since(self, time_s: float = 0.0) -> tuple[Event, ...]:
        return tuple(event for event in list(self._events) if event.time_s >= time_s)


class Repeated:
    """Something that may happen thousands of times a second: told at once, then once a ``pause_s`` with its number."""

    def __init__(self, log: EventLog, kind: str, subject: str, pause_s: float = 1.0) -> None:
        self._log, self._kind, self._subject, self._pause_s = log, kind, subject, pause_s
        self._lock = threading.Lock()
        self._untold = 0
        self._quiet_until_s = 0.0

    def add(self, message: str) -> None:
        with self._lock:
            self._untold += 1
            now_s = time.monotonic()
            if now_s < self._quiet_until_s:
                return
            self._quiet_until_s = now_s + self._pause_s
            times, self._untold = self._untold, 0
        self._log.add(
            self._kind, self._subject, message if times == 1 else f"{times} times; the last: {message}"
        )
