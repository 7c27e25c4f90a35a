"""How long a figure of the machine's cores is believed, and what of a measurement counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cost.fakes import CPU, store_in
from hetero.cost import contention
from hetero.cost.contention import core_efficiency, measure_efficiency


def scripted(monkeypatch: pytest.MonkeyPatch, *rates: float) -> list[int]:
    """Rates of one thread and of two, in turns; the numbers of threads that were asked for."""
    asked: list[int] = []
    left: Iterator[float] = iter(rates)

    def rate(threads: int, clock: Callable[[], float]) -> float:
        asked.append(threads)
        return next(left)

    monkeypatch.setattr(contention, "_rate", rate)
    return asked


STEADY = (10.0, 8.0) * 5
BUSY = (10.0, 5.0, 6.0, 3.0, 5.0, 8.0, 6.0, 3.0, 5.0, 4.0)


def test_the_fastest_rounds_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other work on the machine only takes away; that the rounds disagreed is said."""
    scripted(monkeypatch, *STEADY, *BUSY)
    assert measure_efficiency(2) == (0.8, True)
    assert measure_efficiency(2) == (0.8, False)


@pytest.mark.parametrize(("rates", "lasts_s"), [(STEADY, 86400.0), (BUSY, 600.0)], ids=["steady", "busy"])
def test_a_figure_grows_old(
    rates: tuple[float, ...], lasts_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept with its date; one from a busy machine is looked at again soon."""
    asked = scripted(monkeypatch, *rates, *STEADY)
    with store_in(tmp_path) as store:

        def at(seconds: float) -> float:
            return core_efficiency(CPU, store, now=lambda: 1000.0 + seconds).measured_at

        assert [at(0.0), at(lasts_s - 1)] == [1000.0, 1000.0]
        assert len(asked) == 10
        assert at(lasts_s + 1) == 1001.0 + lasts_s
        assert len(asked) == 20
