"""What is made of the rates of two nodes beside each other and of their rivals, each by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cost.fakes import IDENTITY, PLAIN, Clock, FakeEngine, call
from hetero.cost import beside
from hetero.cost.beside import Side, speeds_of_pair

ONE, OTHER = 10.0, 4.0


def speeds(monkeypatch: pytest.MonkeyPatch, *rates: float) -> tuple[tuple[float, float], FakeEngine]:
    """Of rates in rounds: the first's rival, the second's, both together."""
    left: Iterator[float] = iter(rates)
    monkeypatch.setattr(beside, "_rates", lambda runs, clock: [next(left) for _ in runs])
    engine = FakeEngine(clock := Clock())
    side = Side(engine, IDENTITY, PLAIN, call())
    return speeds_of_pair((side, side), (side, side), clock), engine


def test_a_disturbed_round_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the rivals were disturbed in it or those that they are compared with: the one in the middle counts."""
    calm = ONE, OTHER, 8.0, 3.0
    assert speeds(monkeypatch, *calm, 1.0, 1.0, 8.0, 3.0, ONE, OTHER, 1.0, 1.0, *calm, *calm)[0] == (
        0.8,
        0.75,
    )


def test_only_what_is_of_one_round_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that changes makes rivals faster and pairs slower: the best of either would never be met."""
    before, after = (10.0, 10.0, 6.0, 6.0), (12.0, 12.0, 5.4, 5.4)
    assert speeds(monkeypatch, *before, *before, *after, *after, *after)[0] == pytest.approx((0.45, 0.45))


def test_two_that_wait_for_each_other_are_never_both_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Either may be first; the speeds are of one round."""
    rivals = ONE, OTHER
    found, _ = speeds(monkeypatch, *(*rivals, 10.0, 0.4) * 3, *(*rivals, 1.0, 4.0) * 2)
    assert sorted(found) == [0.1, 1.0]


def test_equal_ways_share_one_executable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the runtime, which builds the same op on the same device once; each runs once before it is timed."""
    found, engine = speeds(monkeypatch, *(ONE, ONE, ONE, ONE) * 5)
    assert found == (1.0, 1.0)
    assert (engine.compiled, engine.runs, engine.closed) == (1, 4, 1)
