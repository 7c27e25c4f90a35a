"""How long work may take before it counts as hung: from its estimate, generously.

A node may be given more than its samples had, on a machine that is busy with something else; so the factor is large,
and nothing counts as hung within seconds. A node without an estimate is given as long as a worker is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from hetero.plans import Plan
from hetero.run.program import Branch, Call, Map, Program, Stage
from hetero.run.timing import NodeStats

__all__ = [
    "FACTOR",
    "LEAST_S",
    "MOST_S",
    "patience_s",
    "predicted_seconds",
    "request_seconds",
    "stage_patience_s",
    "with_predictions",
]

FACTOR = 50.0
LEAST_S = 5.0
MOST_S = 600.0
QUEUED_S = 30 * 24 * 3600.0
"""For a stage that waits in a provider's queue, which takes as long as it takes: a caller's deadline ends it before."""


def patience_s(seconds: float | None) -> float:
    """Seconds that one call may take which is estimated to take ``seconds``.

    >>> patience_s(0.001), patience_s(2.0), patience_s(None)
    (5.0, 100.0, 600.0)
    """
    return MOST_S if seconds is None else max(LEAST_S, FACTOR * seconds)


def predicted_seconds(plan: Plan) -> Mapping[str, float]:
    """What one call of each node is predicted to take, by path; only of nodes that have an estimate."""
    # Estimates are for a request, in which a node inside a map is called many times.
    often = {
        path: plan.evidence.per_request(path, choice.variant) if plan.evidence else 1.0
        for path, choice in plan.choices.items()
    }
    return {path: s / often[path] for path, s in request_seconds(plan).items() if often[path] > 0}


def with_predictions(plan: Plan, stats: Mapping[str, NodeStats]) -> dict[str, NodeStats]:
    """The figures of all nodes of a plan, those that have not run among them, each with what a call is predicted to
    take."""
    predicted = predicted_seconds(plan)
    never = {path: NodeStats(0, math.nan, math.nan) for path, _ in plan.graph.walk()}
    return {
        path: replace(found, predicted_s=predicted.get(path)) for path, found in (never | {**stats}).items()
    }


def request_seconds(plan: Plan) -> Mapping[str, float]:
    """What each node is predicted to take for one request, over all its calls; only of nodes that have an estimate."""
    chosen = {
        path: next((o.estimate for o in plan.options.get(path, ()) if o.choice == choice), None)
        for path, choice in plan.choices.items()
    }
    return {path: estimate.seconds for path, estimate in chosen.items() if estimate is not None}


def stage_patience_s(program: Program, stage: Stage) -> float:
    """Seconds that a whole stage may take: from what all its nodes are predicted to take for a request."""
    calls = [item for item in stage.block.body if isinstance(item, Call)]
    if any(program.builds[call.executable].variant.charged_dollars is not None for call in calls):
        return QUEUED_S
    paths = [item.path for item in stage.block.body if isinstance(item, Call | Map | Branch)]
    known = [program.predicted_s[path] for path in paths if path in program.predicted_s]
    return patience_s(sum(known) if len(known) == len(paths) else None)
