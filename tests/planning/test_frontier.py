"""The Pareto set: which plans are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hetero.cost.estimate import Estimate
from hetero.errors import InfeasibleError
from hetero.planning.frontier import sweep


@dataclass(frozen=True)
class Found:
    estimate: Estimate


points = st.tuples(st.integers(1, 20), st.integers(1, 20))


@given(st.lists(points, min_size=1, max_size=8), st.integers(0, 6))
def test_what_is_kept_is_the_pareto_set_of_what_was_found(
    candidates: list[tuple[int, int]], count: int
) -> None:
    """Sorted by the first objective, falling in the second; no candidate beats a kept plan in both."""

    def solve(objective: str, bound: float | None) -> Any:
        allowed = [c for c in candidates if bound is None or c[0] <= bound]
        if not allowed:
            raise InfeasibleError("nothing")
        best = min(allowed, key=lambda c: c if objective == "latency" else (c[1], c[0]))
        return Found(Estimate(float(best[0]), float(best[1])))

    kept: Any = sweep(solve, ("latency", "energy"), count)
    seconds = [plan.estimate.seconds for plan in kept]
    joules = [plan.estimate.joules for plan in kept]
    assert seconds == sorted(set(seconds))
    assert joules == sorted(set(joules), reverse=True)
    assert seconds[0] == min(c[0] for c in candidates)
    assert joules[-1] == min(c[1] for c in candidates)
    for plan in kept:
        assert not any(c[0] <= plan.estimate.seconds and c[1] < plan.estimate.joules for c in candidates)


def test_one_plan_that_is_best_in_both_is_alone() -> None:
    """Nothing lies between two equal ends, so nothing more is solved."""
    asked: list[float | None] = []

    def solve(objective: str, bound: float | None) -> Any:
        asked.append(bound)
        return Found(Estimate(1.0, 2.0))

    assert len(sweep(solve, ("latency", "energy"), 8)) == 1
    assert asked == [None, None]
