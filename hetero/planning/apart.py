"""Python functions in worker processes: where that is worth a measurement.

In a process of its own a function does not hold this one's interpreter lock, but every call hands its values over and
its results back. For a quick function that costs more than anything that could be won.
"""

from __future__ import annotations

from collections.abc import Sequence

from hetero.cost.store import ProfileStore
from hetero.planning.evidence import Evidence
from hetero.planning.options import Candidate

__all__ = ["WORTH_S", "is_apart", "too_quick"]

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


def _call_seconds(candidate: Candidate, evidence: Evidence, store: ProfileStore) -> float | None:
    """The longest measured call of a candidate."""
    measured = [store.get(candidate.key(call.inputs)) for call in evidence.calls.get(candidate.path, ())]
    return max((m.seconds for m in measured if m is not None), default=None)
