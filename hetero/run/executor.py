"""What a session needs of whatever executes its program: here or on a cluster."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hetero.events import Event
from hetero.run.flight import Done
from hetero.run.program import Program
from hetero.run.timing import NodeStats
from hetero.run.trace import Span

__all__ = ["AtWork", "Executor", "Launched"]


@dataclass(frozen=True, slots=True)
class AtWork:
    """Where a request is at the moment: the node that runs for it, on which device, since when.

    ``since_s`` is a time of ``time.monotonic``: when the stage that the node is in was begun. ``patience_s`` is how
    long all of that stage may take before it counts as hung. ``stage`` is its number.
    """

    path: str
    device: str
    since_s: float
    patience_s: float
    stage: int

    def __str__(self) -> str:
        where = f"node {self.path!r} on {self.device}" if self.path else "a stage"
        return f"{where} was running for {time.monotonic() - self.since_s:.3g} s"


class Launched(Protocol):
    """A request under way."""

    @property
    def inside(self) -> Mapping[int, object]:
        """The stages of it that are being executed, by number."""

    def help(self) -> None:
        """Do what has not been begun of it in the caller's thread, as far as that is possible."""

    def cancel(self) -> bool:
        """Start nothing more of it, and tell nobody; False where it is answered already."""


class Executor(Protocol):
    """Executes the requests of one program; called from many threads."""

    program: Program
    parallel: int
    """How many requests keep it busy."""
    tracing: bool

    def run(self, values: Sequence[Any]) -> Any:
        """The result of one request."""

    def launch(self, values: Sequence[Any], done: Done) -> Launched:
        """Start a request and come back; ``done`` is told once, in whatever thread ends it."""

    @property
    def busy(self) -> bool:
        """Whether something is being executed here, also for requests that nobody waits for any more."""

    def inside(self, flight: Launched) -> Sequence[AtWork]:
        """What is being executed for a flight, where that can be told."""

    def stats(self) -> dict[str, NodeStats]: ...

    def spans(self, *, take: bool = False) -> list[Span]:
        """What was traced; it is forgotten where it is taken."""

    def events(self) -> Sequence[Event]: ...

    def close(self) -> None: ...
