"""Figures of a session for Prometheus, read when they are scraped: requests pay nothing for them."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from hetero.errors import MissingExtraError
from hetero.plans import Plan
from hetero.run.counts import Counts
from hetero.run.timing import NodeStats

if TYPE_CHECKING:
    from prometheus_client.registry import CollectorRegistry

__all__ = ["SessionCollector", "register"]


class Measured(Protocol):
    """A session whose figures are read."""

    @property
    def plan(self) -> Plan: ...

    @property
    def counts(self) -> Counts: ...

    @property
    def in_flight(self) -> int: ...

    def stats(self) -> Mapping[str, NodeStats]: ...


class SessionCollector:
    """What Prometheus calls a collector. It does not keep the session alive, and is empty when that is gone."""

    def __init__(self, session: Measured) -> None:
        self._session = weakref.ref(session)

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        session = self._session()
        if session is None:
            return
        pipeline, choices = session.plan.graph.name, session.plan.choices
        requests = CounterMetricFamily(
            "hetero_requests", "Requests by what became of them", labels=["pipeline", "outcome"]
        )
        for outcome, number in asdict(session.counts).items():
            requests.add_metric([pipeline, outcome], number)
        yield requests
        flying = GaugeMetricFamily("hetero_requests_in_flight", "Requests under way", labels=["pipeline"])
        flying.add_metric([pipeline], session.in_flight)
        yield flying
        labels = ["pipeline", "node", "device"]
        calls = CounterMetricFamily("hetero_node_calls", "Calls of a node", labels=labels)
        moved = CounterMetricFamily("hetero_node_moved_bytes", "Bytes moved for its results", labels=labels)
        taken = GaugeMetricFamily(
            "hetero_node_seconds", "Seconds of its latest calls", labels=[*labels, "quantile"]
        )
        predicted = GaugeMetricFamily(
            "hetero_node_predicted_seconds", "Seconds that a call was predicted to take", labels=labels
        )
        for path, found in session.stats().items():
            who = [pipeline, path, choices[path].device if path in choices else ""]
            calls.add_metric(who, found.calls)
            moved.add_metric(who, found.nbytes)
            if found.calls:
                taken.add_metric([*who, "0.5"], found.p50_s)
                taken.add_metric([*who, "0.99"], found.p99_s)
            if found.predicted_s is not None:
                predicted.add_metric(who, found.predicted_s)
        yield from (calls, moved, taken, predicted)


def register(session: Measured, registry: CollectorRegistry | None = None) -> SessionCollector:
    """Have a registry (the default one without it) read a session's figures when it is scraped.

    Raises:
        MissingExtraError: ``pip install 'hetero[observe]'`` is needed.
    """
    try:
        from prometheus_client import REGISTRY
    except ImportError as error:
        raise MissingExtraError("metrics for Prometheus", "prometheus_client", "observe") from error
    collector = SessionCollector(session)
    (registry or REGISTRY).register(collector)
    return collector
