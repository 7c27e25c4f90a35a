"""When each node ran: a few numbers a request, kept in rings of fixed size.

Generated code reads the clock once after each node and hands all of a block's times over in one call, about 0.05 us a
node. Where the nodes themselves take some microseconds that would be felt, so such a block is timed now and then only,
and counted always. A trace is the same numbers, all of them kept, with the thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from time import perf_counter
from typing import Any

import numpy as np

from hetero.run.trace import Span

__all__ = ["BlockTimes", "NodeStats", "Recorder"]

RING = 1024
"""Requests of each block that percentiles are taken from; fewer where a block has many nodes (``RING_TIMES``)."""
RING_TIMES = 65_536
QUICK_S = 10e-6
"""A block whose nodes take less than this on average is timed seldom, once so many runs have been timed:"""
ENOUGH = 256
SELDOM = 15
"""One of 16 runs; a power of two less one, since it is a mask."""
FAR_OUT = 3.0
"""A call is an outlier where it is so many interquartile ranges outside of the middle half: "far out" in Tukey,
Exploratory Data Analysis (1977), section 2D."""
STEADY = 0.1
"""The range counts as at least this share of the median: times that hardly vary at all have no far outliers."""
TRACE_LIMIT = 1_000_000
"""Block runs that a trace holds; older ones are dropped."""


@dataclass(frozen=True, slots=True)
class NodeStats:
    """One node so far. Percentiles are over its latest calls that were timed, in seconds.

    ``nbytes`` were moved for its results. ``predicted_s`` is what one call was estimated to take; None where the plan
    does not say. Of the ``timed`` calls that the percentiles are of, ``outliers`` are far from the others (see
    ``FAR_OUT``), and the middle half is within ``spread_s`` of its middle.
    """

    calls: int
    p50_s: float
    p99_s: float
    nbytes: int = 0
    predicted_s: float | None = None
    requests_a_call: float = 1.0
    """More than 1 where several requests had it made together."""
    timed: int = 0
    outliers: int = 0
    spread_s: float = 0.0
    shapes: tuple[str, ...] = ()
    """The shapes of the latest calls that were looked at, as profiles name them."""


class BlockTimes:
    """The times of one block: start, end of the first node, ..., end of the last node, in seconds.

    ``names`` is what generated code knows of it (see ``Binding.clock``).
    """

    def __init__(
        self,
        paths: Sequence[str],
        lane: str,
        kept: Callable[[BlockTimes, tuple[float, ...]], bool],
    ) -> None:
        self.paths, self.lane = tuple(paths), lane
        size = max(16, min(RING, RING_TIMES // (len(paths) + 1)))
        self.ring: deque[tuple[float, ...]] = deque(maxlen=size)
        self._kept = kept
        self._enough = min(ENOUGH, size)
        self._quick_s = QUICK_S * len(paths)
        self._calls = count()  # next() is atomic under the GIL, += 1 is not
        self._looks = 0
        self.names: dict[str, Any] = {
            "turn": count().__next__,
            "seldom": 0,
            "now": perf_counter,
            "note": self.note,
            "done": self._calls.__next__,
        }

    def calls(self) -> int:
        self._looks += 1
        return next(self._calls) - self._looks + 1

    def note(self, times: tuple[float, ...]) -> None:
        """The times of one run."""
        next(self._calls)
        self.ring.append(times)
        if self._kept(self, times):
            self.names["seldom"] = 0  # also where the trace began while an earlier run said otherwise
        elif len(self.ring) >= self._enough:
            self.names["seldom"] = SELDOM if times[-1] - times[0] < self._quick_s else 0


class Recorder:
    """The times of all blocks of a session."""

    def __init__(self, devices: Mapping[str, tuple[str, str]]) -> None:
        self._devices = devices
        self._blocks: list[BlockTimes] = []
        self._kept: deque[tuple[BlockTimes, tuple[float, ...], int]] = deque(maxlen=TRACE_LIMIT)
        self._lock = threading.Lock()
        self._taken = 0
        self._tracing = False

    def block(self, paths: Sequence[str], lane: str) -> dict[str, Any]:
        """The names of a new block's clock."""
        block = BlockTimes(paths, lane, self._keep)
        self._blocks.append(block)
        return block.names

    @property
    def tracing(self) -> bool:
        return self._tracing

    @tracing.setter
    def tracing(self, on: bool) -> None:
        self._tracing = on
        if on:  # a trace has every run
            for block in self._blocks:
                block.names["seldom"] = 0

    def _keep(self, block: BlockTimes, times: tuple[float, ...]) -> bool:
        if self._tracing:
            self._kept.append((block, times, threading.get_ident()))
        return self._tracing

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
        return {path: _summary(calls[path], np.array(values)) for path, values in seconds.items() if values}

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


def _summary(calls: int, seconds: np.ndarray[Any, np.dtype[np.float64]]) -> NodeStats:
    low_s, p50_s, high_s, p99_s = map(float, np.percentile(seconds, (25, 50, 75, 99)))
    reach_s = FAR_OUT * max(high_s - low_s, STEADY * p50_s)
    outliers = int(((seconds < low_s - reach_s) | (seconds > high_s + reach_s)).sum())
    return NodeStats(
        calls, p50_s, p99_s, timed=len(seconds), outliers=outliers, spread_s=(high_s - low_s) / 2
    )
