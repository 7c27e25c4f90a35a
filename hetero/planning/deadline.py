"""When planning has to end: a time of ``time.perf_counter``, or None where nobody waits for it."""

from __future__ import annotations

import time

__all__ = ["is_late", "seconds_left"]

_SOLVING_S = (0.2, 5.0)
"""At least what proves small problems, whatever measuring has used up; at most what a plan is worth."""


def is_late(deadline: float | None) -> bool:
    """Whether nothing more is to be measured.

    >>> is_late(None), is_late(0.0)
    (False, True)
    """
    return deadline is not None and time.perf_counter() >= deadline


def seconds_left(deadline: float | None) -> float:
    """For solving.

    >>> seconds_left(None), seconds_left(0.0)
    (5.0, 0.2)
    """
    least, most = _SOLVING_S
    return most if deadline is None else max(least, min(most, deadline - time.perf_counter()))
