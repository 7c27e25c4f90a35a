"""One more measurement where it would change the decision: the value of information.

Every way is measured quickly at first. A plan is then made in which each way that is not known well is as good as it
may still turn out; what that plan takes is measured further, and the question is asked again. It ends where the plan
takes nothing but what is known well: no further measurement of anything else could change it. Ways that lose even at
their best are never measured again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from hetero.cost.measurement import Measurement
from hetero.cost.race import DEFAULT_EFFORT, Effort
from hetero.cost.store import ProfileStore
from hetero.planning.evidence import Evidence
from hetero.planning.options import Candidate
from hetero.plans import Choice, Considered

__all__ = ["ROUNDS", "Doubt", "doubt_of", "doubts", "hopeful", "told"]

QUICKLY = 0.15
"""How far a quick measurement may be from a careful one, relatively; the 90th percentile seen here was 0.13."""

WORTH = 0.05
"""A doubt under this is no reason for a measurement: the machine itself is no steadier."""

CLOSER = replace(DEFAULT_EFFORT, shapes=6)
"""For a node whose estimate hangs on shapes that were not measured."""

ROUNDS = 5

Doubt: TypeAlias = tuple[Candidate, float, Effort]
"""A way, by what share of its estimate it may turn out better, and the effort that would tell."""


def doubt_of(candidate: Candidate, evidence: Evidence, store: ProfileStore) -> tuple[float, Effort | None]:
    """By what share of its estimate a way may turn out better, and the effort that would tell; None where none would.

    A way that is not measured at all is not in doubt: there was a reason.
    """
    calls = candidate.calls(evidence)
    if candidate.variant.declared_seconds is not None or not calls:
        return 0.0, None
    found = {call.inputs: store.get(candidate.key(call.inputs)) for call in calls}
    known = [m for m in found.values() if m is not None]
    if not known:
        return 0.0, None
    if candidate.op.kind == "function":  # the same code in all of its ways
        return 0.0, None
    if not _carefully(known, len(found), DEFAULT_EFFORT):
        return QUICKLY, DEFAULT_EFFORT
    if len(found) > len(known) and not _carefully(known, len(found), CLOSER):
        unseen = sum(call.count for call in calls if found[call.inputs] is None)
        share = unseen / sum(call.count for call in calls)
        slowest, fastest = max(m.seconds for m in known), min(m.seconds for m in known)
        # Between two measured shapes a straight line is assumed; what it may be wrong by grows with their distance.
        return share * (slowest - fastest) / (slowest + fastest), CLOSER
    return 0.0, None


def _carefully(known: Sequence[Measurement], shapes: int, effort: Effort) -> bool:
    return sum(map(effort.knows, known)) >= min(effort.shapes, shapes)


def doubts(
    candidates: Mapping[str, Sequence[Candidate]], evidence: Evidence, store: ProfileStore
) -> dict[tuple[str, Choice], Doubt]:
    """The ways in doubt, by path and choice."""
    found = {}
    for path, ways in candidates.items():
        for one in ways:
            doubt, effort = doubt_of(one, evidence, store)
            if effort is not None and doubt > WORTH:
                found[path, one.choice] = one, doubt, effort
    return found


def hopeful(
    options: Mapping[str, tuple[Considered, ...]],
    doubtful: Mapping[tuple[str, Choice], Doubt],
) -> dict[str, tuple[Considered, ...]]:
    """The options, those in doubt as good as they may turn out."""

    def at_best(path: str, option: Considered) -> Considered:
        if (path, option.choice) not in doubtful or option.estimate is None:
            return option
        _, doubt, _ = doubtful[path, option.choice]
        return replace(option, estimate=option.estimate.scaled(1 - doubt))

    return {path: tuple(at_best(path, option) for option in found) for path, found in options.items()}


def told(candidate: Candidate, doubt: float) -> str:
    """A line for the plan's notes."""
    return f"{candidate.path} on {candidate.choice} (up to {doubt:.0%} better than it seemed)"
