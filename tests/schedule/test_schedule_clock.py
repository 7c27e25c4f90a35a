"""What budgets count: all the time that passes, but not what Numba needs to compile, once for each machine."""

from __future__ import annotations

import logging
import time

import pytest
from numba import njit

from hetero.schedule import clock
from hetero.schedule.budget import Budget


def test_compiling_stops_the_clock_and_says_so_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels that are compiled inside take time, of which a budget notices next to nothing; one line says so."""
    monkeypatch.setattr("hetero.schedule.clock._Stopped.told", False)

    @njit
    def double(number: float) -> float:
        return 2 * number

    @njit
    def halve(number: float) -> float:
        return number / 2

    budget = Budget(100.0, None, 0)
    began = time.perf_counter()
    with caplog.at_level(logging.WARNING, "hetero.schedule"), clock.off_the_clock():
        assert double(4.0) == 8.0
        assert halve(4.0) == 2.0
    took = time.perf_counter() - began
    assert 100.0 - budget.left < took
    assert [record.message for record in caplog.records] == [
        "compiling the search, once for this machine; this does not count as budget"
    ]


def test_what_is_compiled_already_counts(caplog: pytest.LogCaptureFixture) -> None:
    """Calls of compiled kernels, and all other work, use the budget up, and nothing is said."""

    @njit
    def triple(number: float) -> float:
        return 3 * number

    triple(1.0)
    budget = Budget(100.0, None, 0)
    with clock.off_the_clock():
        triple(2.0)
        time.sleep(0.02)
    assert budget.left <= 100.0 - 0.02
    assert not caplog.records
