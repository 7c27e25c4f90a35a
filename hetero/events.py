"""What happened to a session besides its work: a worker that died, a request that was run again."""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass

__all__ = ["Event", "EventLog"]

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
    """The latest events, also told to the logger ``hetero.run``."""

    def __init__(self, size: int = 1000) -> None:
        self._events: deque[Event] = deque(maxlen=size)

    def add(self, kind: str, subject: str, message: str) -> None:
        event = Event(time.time(), kind, subject, message)
        self._events.append(event)
        log.warning("%s", event)

    def since(self, time_s: float = 0.0) -> tuple[Event, ...]:
        return tuple(event for event in list(self._events) if event.time_s >= time_s)
