"""Python functions in worker processes: where that is worth a measurement.

In a process of its own a function does not hold this one's interpreter lock, but every call hands its values over and
its results back. For a quick function that costs more than anything that could be won.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hetero.cost.store import ProfileStore
from hetero.graph import Graph
from hetero.planning.evidence import Evidence
from hetero.planning.options import Candidate

__all__ = ["WORTH_S", "is_apart", "nothing_beside", "too_quick"]

WORTH_S = 1e-3
"""Seconds of a call from which on a process of its own may pay: some ten times an empty hand-over."""


def is_apart(candidate: Candidate) -> bool:
    """Whether a candidate is a function in a worker process."""
    return candidate.op.kind == "function" and candidate.info.isolation == "process"


def too_quick(
    candidates: Sequence[Candidate], evidence: Evidence, store: ProfileStore
) -> dict[Candidate, str]:
    """Those apart whose function is known to be quick in this process, or of which that is not known; and why."""
    here = {c.path: c for c in candidates if c.op.kind == "function" and not is_apart(c)}
    found: dict[Candidate, str] = {}
    for candidate in filter(is_apart, candidates):
        twin = here.get(candidate.path)
        seconds = None if twin is None else _call_seconds(twin, evidence, store)
        if seconds is None:
            found[candidate] = (
                "what the function takes in this process was not measured, so this was not either"
            )
        elif seconds < WORTH_S:
            found[candidate] = (
                f"a call takes {seconds * 1e6:.3g} us in this process: too quick to be handed to another one"
            )
    return found


def nothing_beside(candidates: Sequence[Candidate], graph: Graph, objective: str) -> dict[Candidate, str]:
    """Those apart that no other node could run beside, where one request at a time counts; and why.

    The interpreter lock is then nobody else's, and a call costs the hand-over more. What is inside a map may run beside
    itself; a way that is the only one of its node stays.
    """
    if objective != "latency":
        return {}
    here = {c.path for c in candidates if not is_apart(c)}
    alone = _alone(graph)
    return {
        candidate: "nothing else runs meanwhile: in another process it would take the hand-over more"
        for candidate in filter(is_apart, candidates)
        if candidate.path in alone and candidate.path in here
    }


def _alone(graph: Graph) -> set[str]:
    """The nodes at the top of a graph that are before or after every other one."""
    before: dict[str, set[str]] = {}
    for node in graph:
        before[node.name] = {p for parent in node.parents for p in (parent, *before[parent])}
    after = Counter(name for earlier in before.values() for name in earlier)
    return {name for name, earlier in before.items() if len(earlier) + after[name] == len(graph) - 1}


def _call_seconds(candidate: Candidate, evidence: Evidence, store: ProfileStore) -> float | None:
    """The longest measured call of a candidate."""
    measured = [store.get(candidate.key(call.inputs)) for call in evidence.calls.get(candidate.path, ())]
    return max((m.seconds for m in measured if m is not None), default=None)
