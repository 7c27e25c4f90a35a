"""When failures of requests say something about their device: pure decisions."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LOST_AFTER", "NO_STRIKES", "Strikes", "after_failure"]

LOST_AFTER = 3
"""Requests in a row that a device fails, each as often as it may be run, before it counts as lost."""


@dataclass(frozen=True, slots=True)
class Strikes:
    """Failed requests in a row, and how many calls the device had completed at the last of them."""

    number: int
    calls: int


NO_STRIKES = Strikes(0, -1)


def after_failure(before: Strikes, calls: int) -> Strikes:
    """One more, or the first of a new row where a call has succeeded in between.

    >>> after_failure(Strikes(2, 10), 10), after_failure(Strikes(2, 10), 11)
    (Strikes(number=3, calls=10), Strikes(number=1, calls=11))
    """
    return Strikes(before.number + 1 if calls == before.calls else 1, calls)
