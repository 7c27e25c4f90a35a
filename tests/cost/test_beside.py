"""What is made of the rates of two nodes, alone and beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cost.fakes import IDENTITY, PLAIN, Clock, FakeEngine, call
from hetero.cost import beside
from hetero.cost.beside import Side, speeds_of_pair

ONE, OTHER = 10.0, 4.0


def speeds(monkeypatch: pytest.MonkeyPatch, *rates: float) -> tuple[tuple[float, float], FakeEngine]:
    """Of rates in rounds: the first alone, the second alone, both together."""
    left: Iterator[float] = iter(rates)
    monkeypatch.setattr(beside, "_rates", lambda runs, clock: [next(left) for _ in runs])
    engine = FakeEngine(clock := Clock())
    side = Side(engine, IDENTITY, PLAIN, call())
    return speeds_of_pair(side, side, clock), engine


def test_other_work_on_the_machine_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fastest round alone and the best one together, whichever those are."""
    disturbed: Any = (ONE, OTHER, 5.0, 1.0, 6.0, OTHER, 8.0, 3.0, 7.0, 2.0, 4.0, 3.0)
    assert speeds(monkeypatch, *disturbed)[0] == (0.8, 0.75)


def test_two_that_wait_for_each_other_are_never_both_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Either may be first; the speeds are of one round."""
    alone = ONE, OTHER
    assert speeds(monkeypatch, *alone, 10.0, 0.4, *alone, 1.0, 4.0, *alone, 5.0, 2.0)[0] == (1.0, 0.1)


def test_equal_ways_share_one_executable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the runtime, which builds the same op on the same device once; each runs once before it is timed."""
    found, engine = speeds(monkeypatch, *(ONE, ONE, ONE, ONE) * 3)
    assert found == (1.0, 1.0)
    assert (engine.compiled, engine.runs, engine.closed) == (1, 2, 1)
