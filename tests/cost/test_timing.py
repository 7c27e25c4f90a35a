"""What is said of timings holds for numbers in general, and between measured shapes."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hetero.cost.interpolate import Point, interpolate, representatives
from hetero.cost.timing import median_ranks, summarise

SECONDS = st.floats(1e-7, 1e3)


@given(st.lists(SECONDS, min_size=1, max_size=50))
def test_median_and_quartiles_are_numpy_s(seconds: list[float]) -> None:
    """Median and half the interquartile range are what NumPy says."""
    found = summarise(seconds)
    low, middle, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    assert found.seconds == pytest.approx(middle)
    assert found.spread_s == pytest.approx((high - low) / 2)
    assert found.low_s <= found.seconds * (1 + 1e-12)
    assert found.high_s >= found.seconds * (1 - 1e-12)
    assert found.repetitions == len(seconds)


@pytest.mark.parametrize("count", [6, 9, 15, 40])
def test_the_interval_holds_the_median_as_often_as_it_says(count: int) -> None:
    """Of a skewed distribution too: at least 95 of 100 times, within what 2,000 draws can tell."""
    generator = random.Random(7)
    median = math.log(2)
    hits = 0
    for _ in range(2000):
        found = summarise([generator.expovariate(1.0) for _ in range(count)])
        hits += found.low_s <= median <= found.high_s
    assert hits / 2000 > 0.94


@given(st.integers(1, 500))
def test_ranks_are_symmetric_and_inside(count: int) -> None:
    """Both ends are timings that exist, equally far from the extremes."""
    low, high = median_ranks(count)
    assert 0 <= low <= high < count
    assert low + high == count - 1


@given(st.lists(st.tuples(st.floats(1, 1e6), SECONDS), min_size=1, max_size=6), st.floats(0.5, 2e6))
def test_interpolation_is_exact_at_points_and_positive_everywhere(
    pairs: list[tuple[float, float]], size: float
) -> None:
    """A measured size gives what was measured there; no size gives a negative or endless time."""
    assume(len({s for s, _ in pairs}) == len(pairs))
    assume(all(abs(a - b) > 1e-6 * a for i, (a, _) in enumerate(pairs) for b, _ in pairs[:i]))
    points = [Point(s, t, 0.0) for s, t in pairs]
    for point in points:
        assert interpolate(points, point.size).seconds == pytest.approx(point.seconds)
        assert interpolate(points, point.size).spread_s == pytest.approx(
            0.0, abs=1e-9 * point.seconds + 1e-12
        )
    found = interpolate(points, size)
    assert 0 < found.seconds < math.inf
    assert 0 <= found.spread_s < math.inf


def test_beyond_the_points_the_line_goes_on_and_doubt_grows() -> None:
    """The last slope is kept, and the spread grows with the distance."""
    points = [Point(10, 1.0, 0.1), Point(20, 2.0, 0.1)]
    near, far = interpolate(points, 25), interpolate(points, 40)
    assert (near.seconds, far.seconds) == (pytest.approx(2.5), pytest.approx(4.0))
    assert 0.1 < near.spread_s < far.spread_s
    assert interpolate(points, 5).seconds == pytest.approx(0.5)


def test_one_point_goes_in_proportion() -> None:
    """Twice the work is twice the time where nothing else is known, and said to be unsure."""
    found = interpolate([Point(10, 1.0, 0.0)], 20)
    assert found == Point(20, 2.0, 0.5)
    assert interpolate([Point(0, 1.0, 0.0)], 20).seconds == 1.0


def test_points_of_one_size_become_one() -> None:
    """Two shapes of equal work that took different times widen the spread."""
    found = interpolate([Point(10, 1.0, 0.0), Point(10, 3.0, 0.0), Point(20, 4.0, 0.0)], 10)
    assert (found.seconds, found.spread_s) == (2.0, 1.0)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=60), st.integers(1, 5))
def test_representatives_hold_the_extremes(sizes: list[int], count: int) -> None:
    """At most so many, of different shapes, the smallest and the largest size among them."""
    chosen = representatives(sizes, sizes, count)
    assert 1 <= len(chosen) <= count
    assert len({sizes[i] for i in chosen}) == len(chosen)
    if count > 1:
        assert {min(sizes), max(sizes)} <= {sizes[i] for i in chosen}
