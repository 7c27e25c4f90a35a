"""The Pareto set is all of it, and nothing but it."""

from __future__ import annotations

import itertools
import math

import pytest

from hetero.errors import ProblemError
from hetero.schedule import Edge, Limits, Link, Option, Problem, Processor, Task, frontier, violations

from .brute_force import optimum

FAST_OR_FRUGAL = Problem(
    (Processor("fast"), Processor("frugal")),
    tuple(
        Task(
            f"t{i}",
            (Option("fast", 1.0 + i, joules=5.0 + i), Option("frugal", 2.5 + 2 * i, joules=2.0 + i / 2)),
        )
        for i in range(4)
    ),
    (Edge("t0", "t1", 1.0), Edge("t0", "t2", 1.0), Edge("t2", "t3", 2.0)),
    (Link("fast", "frugal", 0.5, 2.0), Link("frugal", "fast", 0.5, 2.0)),
)


def test_every_point_and_no_other() -> None:
    """A small problem's frontier is what trying every limit by brute force gives."""
    found = frontier(FAST_OR_FRUGAL, over=("latency", "energy"), max_points=40, budget_seconds=60)
    assert found.exact
    assert found.gap == 0.0
    sums = {
        sum(option.joules for option in chosen)
        for chosen in itertools.product(*(task.options for task in FAST_OR_FRUGAL.tasks))
    }
    expected: list[tuple[float, float]] = []
    for joules in sorted(sums):
        best = optimum(FAST_OR_FRUGAL, "latency", Limits(joules=joules))
        if best is not None and (not expected or best < expected[-1][0] - 1e-9):
            expected.append((best, joules))
    values = [point.values for point in found.points]
    assert len(values) == len(expected)
    for (seconds, joules), (best, least) in zip(values, reversed(expected), strict=True):
        assert math.isclose(seconds, best, rel_tol=1e-9)
        assert math.isclose(joules, least, rel_tol=1e-9)


def test_few_points_are_not_called_exact() -> None:
    """A selection spans the set from end to end and says that it is one."""
    every = frontier(FAST_OR_FRUGAL, max_points=40, budget_seconds=60).points
    few = frontier(FAST_OR_FRUGAL, max_points=4)
    assert not few.exact
    assert few.points[0].values == every[0].values
    assert few.points[-1].values == every[-1].values


def test_throughput_cannot_be_limited() -> None:
    """The period has no limit to tighten, so it can only come first."""
    assert frontier(FAST_OR_FRUGAL, over=("throughput", "energy")).points
    with pytest.raises(ProblemError, match="only as the first"):
        frontier(FAST_OR_FRUGAL, over=("energy", "throughput"))


def test_of_a_large_problem_there_are_points_with_their_gap() -> None:
    """Not all points, and none that is proven: valid ones from end to end, each with how far off it may be."""
    count = 80
    problem = Problem(
        (Processor("fast", 2), Processor("frugal", 2)),
        tuple(
            Task(
                f"t{i}",
                (
                    Option("fast", 1.0 + 0.37 * (i % 7), joules=9.0 + i % 5),
                    Option("frugal", 2.0 + 0.53 * (i % 11), joules=1.0 + i % 3),
                ),
            )
            for i in range(count)
        ),
        tuple(Edge(f"t{i // 2}", f"t{i}", 1.0) for i in range(1, count)),
        (Link("fast", "frugal", 0.1, 10.0), Link("frugal", "fast", 0.1, 10.0)),
    )
    found = frontier(problem, budget_seconds=2.0)
    assert not found.exact
    assert len(found.points) >= 2
    assert all(0.0 <= point.gap < 1.0 for point in found.points)
    assert 0.0 < found.gap == max(point.gap for point in found.points)
    assert found.points[-1].values[1] == sum(1.0 + i % 3 for i in range(count))
    for point in found.points:
        assert violations(problem, point.schedule) == ()
