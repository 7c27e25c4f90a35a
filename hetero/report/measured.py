"""What a plan really takes on its sample, one request at a time: a few runs, the time of every node."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.cost.counters import counter
from hetero.run.load import FEWEST, STRETCH

if TYPE_CHECKING:
    from hetero.plans import Plan
    from hetero.run.trace import Span

__all__ = ["Measured", "measure", "no_word_of_drift"]


@dataclass(frozen=True, slots=True)
class Measured:
    """Warm runs of one request at a time, in seconds. ``nodes`` is each node's time for a request, over all its calls
    (the median over requests); ``spans`` are those of the run of median length. ``joules`` is what hardware counters
    say of a request, where there are any, and ``counted`` says which ones those are."""

    runs_s: tuple[float, ...]
    nodes: Mapping[str, float]
    spans: tuple[Span, ...]
    joules: float | None = None
    counted: str = ""

    @property
    def enough(self) -> bool:
        """Whether there were enough runs to tell percentiles from, and what is derived from them: of one or two, a
        disturbed one would decide. As many as a load needs answers for a rate."""
        return len(self.runs_s) >= FEWEST

    @property
    def counted_runs(self) -> str:
        """
        >>> Measured((8.24,), {}, ()).counted_runs
        '1 run'
        """
        return f"{len(self.runs_s)} run{'' if len(self.runs_s) == 1 else 's'}"

    @property
    def p50_s(self) -> float:
        return float(np.percentile(self.runs_s, 50))

    @property
    def p99_s(self) -> float:
        return float(np.percentile(self.runs_s, 99))


@contextmanager
def no_word_of_drift() -> Iterator[None]:
    """Where predicted and measured times are about to stand side by side, the log need not compare them meanwhile."""
    log = logging.getLogger("hetero.run")

    def is_other(record: logging.LogRecord) -> bool:
        return getattr(record, "event_kind", "") != "drift"

    log.addFilter(is_other)
    try:
        yield
    finally:
        log.removeFilter(is_other)


def measure(plan: Plan, call: Sequence[Any], runs: int = 7, budget_s: float = 5.0) -> Measured:
    """Run the plan on one call: once to warm up, then ``runs`` times or until the budget is used up.

    The budget is ``STRETCH`` times as large where it gave too few runs.
    """
    session = plan.session
    plan(*call)
    was_tracing, session.tracing = session.tracing, True
    traced: list[tuple[float, tuple[Span, ...]]] = []
    meter = counter()
    if meter is not None:
        meter.begin()
    try:
        began = time.perf_counter()
        while _goes_on(len(traced), runs, time.perf_counter() - began, budget_s):
            started = time.perf_counter()
            plan(*call)
            took_s = time.perf_counter() - started
            traced.append((took_s, tuple(span for span in session.trace if span.start_s >= started)))
    finally:
        session.tracing = was_tracing
    joules = None if meter is None else meter.end()
    by_length = sorted(traced, key=lambda one: one[0])
    per_run = [_seconds_of_nodes(spans) for _, spans in traced]
    paths = dict.fromkeys(path for seconds in per_run for path in seconds)
    return Measured(
        runs_s=tuple(took_s for took_s, _ in traced),
        nodes={path: median(seconds.get(path, 0.0) for seconds in per_run) for path in paths},
        spans=by_length[(len(by_length) - 1) // 2][1],
        joules=None if joules is None else joules / len(traced),
        counted="" if meter is None else meter.source,
    )


def _goes_on(made: int, most: int, spent_s: float, budget_s: float) -> bool:
    """Whether to run once more: a slow plan gets more time, as it does in a closed loop.

    >>> _goes_on(4, most=7, spent_s=9.0, budget_s=2.5), _goes_on(5, most=7, spent_s=9.0, budget_s=2.5)
    (True, False)
    >>> _goes_on(4, most=7, spent_s=13.0, budget_s=2.5), _goes_on(0, most=7, spent_s=13.0, budget_s=2.5)
    (False, True)
    """
    allowed_s = budget_s if made >= FEWEST else STRETCH * budget_s
    return not made or (made < most and spent_s < allowed_s)


def _seconds_of_nodes(spans: Sequence[Span]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for span in spans:
        seconds[span.path] = seconds.get(span.path, 0.0) + span.end_s - span.start_s
    return seconds
