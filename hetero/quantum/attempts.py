"""In which order the ways to run a circuit are tried, and how long each may take: decided from forecasts alone.

Certain ways (state vectors, tableaus) take what they are forecast to take. An uncertain one (a matrix product state, a
decision diagram) may take milliseconds or hours, so it is tried in a process that can be killed, for a part of what the
best certain one takes. All that is lost by trying is bounded by that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hetero.cost.circuits import Forecast

__all__ = ["Attempt", "attempts"]

WORTH = 0.5
"""An uncertain way is tried first where it is forecast to take under this share of the best certain one, and is given
this share of it at most."""

GAMBLE, GAMBLE_FROM_S = 0.1, 10.0
"""One whose forecast is a bound, and may be a loose one, is tried for this share, where the best certain one takes so
long or more: beside the share, a killed process is started again, which is seconds of work for a core. (What is known
of a decision diagram from its dry run is no bound: that it did not end is a bad sign.)"""

SHORT_S = 0.25
"""The least that is given: on a busy machine anything may take that long, and a killed process is not free."""

PATIENCE_S = 600.0
"""Where nothing is certain: what the last way may take. The ones before it get `EARLIER_S`, or four times their
forecast."""
EARLIER_S = 10.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """The way of this number, for so long; None: until it ends."""

    index: int
    patience_s: float | None


def attempts(told: Sequence[Forecast]) -> tuple[Attempt, ...]:
    """The order. Every way is in it, those that are not worth trying after the best certain one.

    The time lost on ways that are killed is at most ``WORTH + GAMBLE`` times that of the best certain one for each
    uncertain way.
    """
    order = sorted(range(len(told)), key=lambda index: told[index].first_s)
    certain = [index for index in order if told[index].certain]
    uncertain = [index for index in order if not told[index].certain]
    if not certain:
        return tuple(_without_certain(told, uncertain))
    safe_s = told[certain[0]].first_s
    early = [attempt for index in uncertain if (attempt := _early(told[index], index, safe_s))]
    tried = {attempt.index for attempt in early}
    late = [Attempt(index, PATIENCE_S) for index in uncertain if index not in tried]
    return (*early, *(Attempt(index, None) for index in certain), *late)


def _early(one: Forecast, index: int, safe_s: float) -> Attempt | None:
    """The attempt before the best certain way, or None where it is not worth one."""
    given_s = max(SHORT_S, WORTH * safe_s)
    if one.first_s < WORTH * safe_s:
        # One that ends within the time of the certain way needs no guard: nothing can be lost.
        return Attempt(index, None if one.bounded and one.high_s <= safe_s else given_s)
    if one.bounded and safe_s >= GAMBLE_FROM_S and one.compile_s + one.low_s < GAMBLE * safe_s:
        return Attempt(index, GAMBLE * safe_s)
    return None


def _without_certain(told: Sequence[Forecast], order: Sequence[int]) -> Iterator[Attempt]:
    for index in order[:-1]:
        yield Attempt(index, min(max(EARLIER_S, 4 * told[index].first_s), PATIENCE_S))
    if order:
        last = told[order[-1]].first_s
        yield Attempt(order[-1], PATIENCE_S if math.isfinite(last) else None)
