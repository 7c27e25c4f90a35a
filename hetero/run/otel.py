"""What a session traced, as OpenTelemetry spans: once, or as long as it runs.

Nodes only put numbers down while they run; spans are made of them afterwards, by a thread of its own, so that exporting
costs a request no more than tracing does.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from hetero.errors import MissingExtraError
from hetero.run.trace import Span

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

__all__ = ["SpanExport", "export_spans"]


class Traced(Protocol):
    """A session that spans are taken from."""

    tracing: bool

    @property
    def closed(self) -> bool: ...

    def take_trace(self) -> list[Span]: ...


def export_spans(pipeline: str, spans: Iterable[Span], provider: TracerProvider | None = None) -> None:
    """Make OpenTelemetry spans of what was traced: a parent for each run of a block, and its nodes below it.

    A block is a whole request where no two nodes overlap, else a stage of one, or an item of a map.

    Raises:
        MissingExtraError: ``pip install 'hetero[observe]'`` is needed.
    """
    trace = _api()
    tracer = trace.get_tracer("hetero", tracer_provider=provider)
    runs: dict[tuple[object, ...], list[Span]] = {}
    for span in spans:
        runs.setdefault((span.lane, span.thread, span.run), []).append(span)
    # Spans have times of a clock that nobody can set; exporters want those of the wall.
    offset_ns = time.time_ns() - time.perf_counter_ns()

    def wall_ns(seconds: float) -> int:
        return int(seconds * 1e9) + offset_ns

    for nodes in runs.values():
        start_s, end_s = min(n.start_s for n in nodes), max(n.end_s for n in nodes)
        prefix = nodes[0].path.rpartition("/")[0]
        parent = tracer.start_span(
            f"{pipeline} {prefix}".rstrip(),
            start_time=wall_ns(start_s),
            attributes={"hetero.pipeline": pipeline, "hetero.lane": nodes[0].lane},
        )
        inside = trace.set_span_in_context(parent)
        for node in nodes:
            attributes = {"hetero.device": node.device, "hetero.processor": node.processor}
            span = tracer.start_span(
                node.path, context=inside, start_time=wall_ns(node.start_s), attributes=attributes
            )
            span.end(wall_ns(node.end_s))
        parent.end(wall_ns(end_s))


class SpanExport:
    """Exports what a session traces every ``every_s`` seconds, until it is closed or the session is."""

    def __init__(
        self, session: Traced, pipeline: str, provider: TracerProvider | None = None, every_s: float = 1.0
    ) -> None:
        _api()
        self._session = weakref.ref(session)
        self._pipeline, self._provider, self._every_s = pipeline, provider, every_s
        self._ended = threading.Event()
        session.tracing = True
        self._thread = threading.Thread(target=self._loop, name="hetero spans", daemon=True)
        self._thread.start()

    def flush(self) -> None:
        """Export what there is now."""
        session = self._session()
        if session is not None:
            export_spans(self._pipeline, session.take_trace(), self._provider)

    def close(self) -> None:
        """Export the rest, and trace no longer."""
        self._ended.set()
        self._thread.join()
        self.flush()
        session = self._session()
        if session is not None:
            session.tracing = False

    def _loop(self) -> None:
        while not self._ended.wait(self._every_s):
            session = self._session()
            if session is None or session.closed:
                return
            del session
            self.flush()


def _api() -> Any:
    try:
        from opentelemetry import trace
    except ImportError as error:
        raise MissingExtraError("exporting spans", "opentelemetry", "observe") from error
    return trace
