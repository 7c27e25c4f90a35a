"""The Pareto set is all of it, and nothing but it."""

from __future__ import annotations

import itertools
import math

import pytest

from hetero.errors import ProblemError
from hetero.schedule import Edge, Limits, Link, Option, Problem, Processor, Task, frontier

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
    found = frontier(FAST_OR_FRUGAL, over=("latency", "energy"), max_points=40)
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
    every = frontier(FAST_OR_FRUGAL, max_points=40).points
    few = frontier(FAST_OR_FRUGAL, max_points=4)
    assert not few.exact
    assert few.points[0].values == every[0].values
    assert few.points[-1].values == every[-1].values


def test_throughput_cannot_be_limited() -> None:
    """The period has no limit to tighten, so it can only come first."""
    assert frontier(FAST_OR_FRUGAL, over=("throughput", "energy")).points
    with pytest.raises(ProblemError, match="only as the first"):
        frontier(FAST_OR_FRUGAL, over=("energy", "throughput"))
