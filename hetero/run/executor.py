"""What a session needs of whatever executes its program: here or on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from hetero.events import Event
from hetero.run.flight import Done
from hetero.run.program import Program
from hetero.run.timing import NodeStats
from hetero.run.trace import Span

__all__ = ["Executor", "Launched"]


class Launched(Protocol):
    """A request under way."""

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

    def stats(self) -> dict[str, NodeStats]: ...

    def spans(self) -> list[Span]: ...

    def events(self) -> Sequence[Event]: ...

    def close(self) -> None: ...
