"""Spans of a traced run, and the Chrome/Perfetto file that viewers open (chrome://tracing, ui.perfetto.dev)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hetero.files import write_atomically

__all__ = ["Span", "chrome_trace", "lines", "save_chrome_trace"]


@dataclass(frozen=True, slots=True)
class Span:
    """One run of one node, or one copy. Times are ``time.perf_counter`` seconds.

    ``thread`` tells parallel runs apart, and ``run`` is the same for all nodes of one run of a block. ``device`` is
    empty for what the program itself does: a map, a branch, a copy.
    """

    path: str
    device: str
    processor: str
    lane: str
    start_s: float
    end_s: float
    thread: int = 0
    run: int = 0


def chrome_trace(spans: Iterable[Span]) -> dict[str, Any]:
    """The spans in the trace event format: a process and in it a line for each processor, and further lines for what
    overlaps on it (see ``lines``).

    >>> chrome_trace([Span("a", "cpu/python", "cpu", "cpu:0", 1.0, 1.5)])["traceEvents"][-1]["dur"]
    500000.0
    """
    found = lines(spans)
    origin_s = min((span.start_s for on in found.values() for span in on), default=0.0)
    processors = {name: pid for pid, name in enumerate(dict.fromkeys(name for name, _ in found))}
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": "process_name", "pid": pid, "args": {"name": name or "host"}}
        for name, pid in processors.items()
    ]
    for (name, number), on in found.items():
        seat = {"pid": processors[name], "tid": number}
        shown = (name or "host") + (f" {number}" if number > 1 else "")
        events.append({"ph": "M", "name": "thread_name", **seat, "args": {"name": shown}})
        events.append({"ph": "M", "name": "thread_sort_index", **seat, "args": {"sort_index": number}})
        events += [
            {
                "ph": "X",
                "name": span.path,
                "cat": span.device or "control",
                **seat,
                "ts": (span.start_s - origin_s) * 1e6,
                "dur": (span.end_s - span.start_s) * 1e6,
                "args": {"lane": span.lane},
            }
            for span in on
        ]
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def lines(spans: Iterable[Span]) -> dict[tuple[str, int], list[Span]]:
    """By processor and number from 1 on: as few lines as show each span, without two that overlap on one.

    What a span contains lies within it on its line: an item in its map. So a processor that does one thing after the
    other has one line, whichever threads did them, and one that does two at a time has two.

    >>> starts = {"a": 0.0, "b": 1.0, "c": 2.0}
    >>> side_by_side = [Span(name, "", "cpu", "", start, start + 2.0) for name, start in starts.items()]
    >>> {line: [span.path for span in on] for line, on in lines(side_by_side).items()}
    {('cpu', 1): ['a', 'c'], ('cpu', 2): ['b']}
    """
    placed: dict[tuple[str, int], list[Span]] = {}
    under_way: dict[str, list[list[Span]]] = {}
    """By processor, for each of its lines what has not ended, each within the one before."""
    for span in sorted(spans, key=lambda one: (one.start_s, -one.end_s)):
        stacks = under_way.setdefault(span.processor, [])
        for stack in stacks:
            while stack and stack[-1].end_s <= span.start_s:
                stack.pop()
        line = _line_for(span, stacks)
        stacks[line].append(span)
        placed.setdefault((span.processor, line + 1), []).append(span)
    return placed


def _line_for(span: Span, stacks: list[list[Span]]) -> int:
    """Where it is contained by what its own thread does; else the first free line, a new one if there is none."""
    for line, stack in enumerate(stacks):
        if stack and stack[-1].thread == span.thread and stack[-1].end_s >= span.end_s:
            return line
    for line, stack in enumerate(stacks):
        if not stack:
            return line
    stacks.append([])
    return len(stacks) - 1


def save_chrome_trace(spans: Iterable[Span], path: str | Path) -> None:
    """Write the trace file; an old file stays intact where writing fails."""
    write_atomically(path, json.dumps(chrome_trace(spans)).encode())
