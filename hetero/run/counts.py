"""How the requests of a session ended, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import count

__all__ = ["Counters", "Counts"]


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests since the session was opened.

    ``failed`` were answered with an error of a node or device, ``late`` with ``DeadlineError``; ``rejected`` were
    refused with ``OverloadError`` before they began; ``retried`` counts runs beyond each request's first one.
    """

    started: int = 0
    failed: int = 0
    late: int = 0
    cancelled: int = 0
    rejected: int = 0
    retried: int = 0


class Counters:
    """The same numbers while they grow, from any thread: ``next()`` on a counter is atomic, ``+= 1`` is not."""

    def __init__(self) -> None:
        self._counts: Mapping[str, count[int]] = {field.name: count() for field in fields(Counts)}
        self._looks = 0

    def add(self, name: str) -> None:
        next(self._counts[name])

    def counter(self, name: str) -> count[int]:
        """One of them for a caller who counts often."""
        return self._counts[name]

    def read(self) -> Counts:
        found = {name: next(counter) - self._looks for name, counter in self._counts.items()}
        self._looks += 1
        return Counts(**found)
