"""The time for solving that all solves of one plan share."""

from __future__ import annotations

from hetero.schedule.clock import now

__all__ = ["SolvingTime"]


class SolvingTime:
    """Seconds from now on. How many solves there will be is not known before (limits on the whole and contention ask
    for up to some dozens), so each may take half of what is left: the first, which matters most, the most.

    >>> time = SolvingTime(8.0)
    >>> 3.9 < time.part() <= 4.0, time.over
    (True, False)
    """

    def __init__(self, seconds: float) -> None:
        self._until = now() + seconds

    @property
    def over(self) -> bool:
        return now() >= self._until

    def part(self) -> float:
        """For the next solve."""
        return max(0.0, self._until - now()) / 2
