"""Cores in use on one processor over time, for schedulers that fill gaps."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right

__all__ = ["Timeline"]


class Timeline:
    """A step function: from `moments[i]` to `moments[i + 1]`, `used[i]` cores are taken."""

    __slots__ = ("capacity", "moments", "used")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.moments = [0.0, math.inf]
        self.used = [0]

    def earliest(self, ready_s: float, seconds: float, cores: int) -> float:
        """The first start from `ready_s` on at which `cores` stay free for `seconds`.

        >>> line = Timeline(1)
        >>> line.reserve(2.0, 3.0, 1)
        >>> line.earliest(0.0, 2.0, 1), line.earliest(0.0, 2.5, 1)
        (0.0, 5.0)
        """
        if seconds == 0:
            return ready_s
        free = self.capacity - cores
        moments, used = self.moments, self.used
        start = ready_s
        step = bisect_right(moments, ready_s) - 1
        while True:
            if used[step] > free:
                start = moments[step + 1]
            elif moments[step + 1] >= start + seconds:
                return start
            step += 1

    def reserve(self, start_s: float, seconds: float, cores: int) -> None:
        """Take `cores` from `start_s` for `seconds`."""
        if seconds > 0:
            self._add(start_s, start_s + seconds, cores)

    def release(self, start_s: float, seconds: float, cores: int) -> None:
        """Undo a `reserve` of the same values.

        >>> line = Timeline(1)
        >>> line.reserve(2.0, 3.0, 1)
        >>> line.release(2.0, 3.0, 1)
        >>> line.moments, line.used
        ([0.0, inf], [0])
        """
        if seconds > 0:
            self._add(start_s, start_s + seconds, -cores)

    def _add(self, start_s: float, end_s: float, cores: int) -> None:
        if end_s == start_s:
            return  # so short that it vanishes beside its start
        first, last = self._cut(start_s), self._cut(end_s)
        for step in range(first, last):
            self.used[step] += cores
        # Steps of equal use become one: looking for a gap then passes gaps, not all tasks there are.
        for step in (last, first):
            if step > 0 and self.used[step] == self.used[step - 1]:
                del self.moments[step], self.used[step]

    def _cut(self, moment: float) -> int:
        """The number of the step that begins at `moment`, which is split off if there is none."""
        step = bisect_left(self.moments, moment)
        if self.moments[step] != moment:
            self.moments.insert(step, moment)
            self.used.insert(step, self.used[step - 1])
        return step
