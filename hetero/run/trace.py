"""Spans of a traced run, and the Chrome/Perfetto file that viewers open (chrome://tracing, ui.perfetto.dev)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hetero.files import write_atomically

__all__ = ["Span", "chrome_trace", "save_chrome_trace"]


@dataclass(frozen=True, slots=True)
class Span:
    """One run of one node. Times are ``time.perf_counter`` seconds; ``thread`` tells parallel runs apart, and ``run``
    is the same for all nodes of one run of a block."""

    path: str
    device: str
    processor: str
    lane: str
    start_s: float
    end_s: float
    thread: int = 0
    run: int = 0


def chrome_trace(spans: Iterable[Span]) -> dict[str, Any]:
    """The spans in the trace event format: a process for each processor, a thread for each lane.

    >>> chrome_trace([Span("a", "cpu/python", "cpu", "cpu:0", 1.0, 1.5)])["traceEvents"][-1]["dur"]
    500000.0
    """
    found = sorted(spans, key=lambda span: span.start_s)
    origin = found[0].start_s if found else 0.0
    processes = {name: i for i, name in enumerate(dict.fromkeys(span.processor for span in found))}
    threads = {key: i for i, key in enumerate(dict.fromkeys((span.lane, span.thread) for span in found))}
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": "process_name", "pid": pid, "args": {"name": name or "host"}}
        for name, pid in processes.items()
    ]
    seats = {(processes[span.processor], threads[span.lane, span.thread]): span.lane for span in found}
    events += [
        {"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": lane}}
        for (pid, tid), lane in seats.items()
    ]
    events += [
        {
            "ph": "X",
            "name": span.path,
            "cat": span.device or "control",
            "pid": processes[span.processor],
            "tid": threads[span.lane, span.thread],
            "ts": (span.start_s - origin) * 1e6,
            "dur": (span.end_s - span.start_s) * 1e6,
        }
        for span in found
    ]
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def save_chrome_trace(spans: Iterable[Span], path: str | Path) -> None:
    """Write the trace file; an old file stays intact where writing fails."""
    write_atomically(path, json.dumps(chrome_trace(spans)).encode())
