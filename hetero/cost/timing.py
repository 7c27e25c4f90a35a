"""What a handful of timings says: the median, how far the middle half lies, how sure the median is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Timing", "median_ranks", "summarise"]


@dataclass(frozen=True, slots=True)
class Timing:
    """Median and spread of some timings, in seconds; ``low_s`` to ``high_s`` holds the median with 95%
    confidence."""

    seconds: float
    spread_s: float
    low_s: float
    high_s: float
    repetitions: int

    def narrow(self, tolerance: float) -> bool:
        """Whether the median is known to within ``tolerance`` of itself, either side."""
        return self.high_s - self.low_s <= 2 * tolerance * self.seconds


def summarise(seconds: Sequence[float]) -> Timing:
    """Median, half the interquartile range, and the order statistics that bound the median.

    No normal distribution is assumed: timings have a hard floor and a long tail, which a mean and a standard
    deviation describe badly.

    >>> summarise([3.0, 1.0, 2.0])
    Timing(seconds=2.0, spread_s=0.5, low_s=1.0, high_s=3.0, repetitions=3)
    """
    ordered = sorted(seconds)
    low, high = median_ranks(len(ordered))
    return Timing(
        seconds=quantile(ordered, 0.5),
        spread_s=(quantile(ordered, 0.75) - quantile(ordered, 0.25)) / 2,
        low_s=ordered[low],
        high_s=ordered[high],
        repetitions=len(ordered),
    )


def quantile(ordered: Sequence[float], q: float) -> float:
    """A quantile of sorted numbers, interpolated linearly."""
    position = q * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def median_ranks(count: int, confidence: float = 0.95) -> tuple[int, int]:
    """Ranks (from 0) of the two order statistics between which the median lies with that confidence.

    The number of timings below the median is binomial(count, 1/2); under six timings even the extremes hold
    less than 95%, and the extremes are what is returned.

    Source: David and Nagaraja, Order Statistics, 3rd ed. (2003), section 7.1.

    >>> median_ranks(5), median_ranks(10), median_ranks(100)
    ((0, 4), (1, 8), (39, 60))
    """
    tail, low = 0.0, 0
    for rank in range(count // 2):
        tail += math.comb(count, rank) / 2**count
        if 2 * tail > 1 - confidence:
            break
        low = rank
    return low, count - 1 - low
