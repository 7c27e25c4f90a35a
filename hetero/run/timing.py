"""When each node ran: a few numbers a request, kept in rings of fixed size.

Generated code reads the clock once after each node and hands all of a block's times over in one call, which costs about
0.05 us a node; so timing is always on. A trace is the same numbers, all of them kept, with the thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from hetero.run.trace import Span

__all__ = ["BlockTimes", "NodeStats", "Recorder"]

RING = 1024
"""Requests of each block that percentiles are taken from; fewer where a block has many nodes (``RING_TIMES``)."""
RING_TIMES = 65_536
TRACE_LIMIT = 1_000_000
"""Block runs that a trace holds; older ones are dropped."""


@dataclass(frozen=True, slots=True)
class NodeStats:
    """One node so far. Percentiles are over its latest calls, in seconds; ``nbytes`` were moved for its results.

    ``predicted_s`` is what one call was estimated to take; None where the plan does not say.
    """

    calls: int
    p50_s: float
    p99_s: float
    nbytes: int = 0
    predicted_s: float | None = None


class BlockTimes:
    """The times of one block: start, end of the first node, ..., end of the last node, in seconds."""

    def __init__(self, paths: Sequence[str], lane: str) -> None:
        self.paths, self.lane = tuple(paths), lane
        size = max(16, min(RING, RING_TIMES // (len(paths) + 1)))
        self.ring: deque[tuple[float, ...]] = deque(maxlen=size)
        self._calls = count()  # next() is atomic under the GIL, += 1 is not
        self._looks = 0

    def calls(self) -> int:
        self._looks += 1
        return next(self._calls) - self._looks + 1

    def note(
        self, kept: Callable[[BlockTimes, tuple[float, ...]], None]
    ) -> Callable[[tuple[float, ...]], None]:
        """What generated code calls with the times of one run; ``kept`` is told as well."""
        append, calls = self.ring.append, self._calls

        def note(times: tuple[float, ...]) -> None:
            next(calls)
            append(times)
            kept(self, times)

        return note


class Recorder:
    """The times of all blocks of a session."""

    def __init__(self, devices: Mapping[str, tuple[str, str]]) -> None:
        self._devices = devices
        self._blocks: list[BlockTimes] = []
        self._kept: deque[tuple[BlockTimes, tuple[float, ...], int]] = deque(maxlen=TRACE_LIMIT)
        self._lock = threading.Lock()
        self._taken = 0
        self.tracing = False

    def block(self, paths: Sequence[str], lane: str) -> Callable[[tuple[float, ...]], None]:
        block = BlockTimes(paths, lane)
        self._blocks.append(block)
        return block.note(self._keep)

    def _keep(self, block: BlockTimes, times: tuple[float, ...]) -> None:
        if self.tracing:
            self._kept.append((block, times, threading.get_ident()))

    def stats(self) -> dict[str, NodeStats]:
        """Calls and percentiles of each node that has run, by path."""
        calls: dict[str, int] = {}
        seconds: dict[str, list[float]] = {}
        with self._lock:
            for block in self._blocks:
                times = list(block.ring)
                number = block.calls()
                for i, path in enumerate(block.paths):
                    calls[path] = calls.get(path, 0) + number
                    seconds.setdefault(path, []).extend(row[i + 1] - row[i] for row in times)
        found = {}
        for path, values in seconds.items():
            if values:
                p50_s, p99_s = np.percentile(values, (50, 99))
                found[path] = NodeStats(calls[path], float(p50_s), float(p99_s))
        return found

    def spans(self, *, take: bool = False) -> list[Span]:
        """What was traced, in the order in which it ended; it is forgotten where it is taken."""
        kept = list(self._kept)
        if take:  # what others append meanwhile stays
            kept = [self._kept.popleft() for _ in kept]
        spans = []
        for run, (block, times, thread) in enumerate(kept, self._taken):
            for i, path in enumerate(block.paths):
                device, processor = self._devices.get(path, ("", ""))
                lane = block.lane or f"thread {thread}"
                spans.append(Span(path, device, processor, lane, times[i], times[i + 1], thread, run))
        if take:
            self._taken += len(kept)
        return spans
