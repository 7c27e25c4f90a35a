"""Real numbers as whole ones, for a solver of integers, without ever claiming too much.

Where all values are short decimals they become exact. Elsewhere they are rounded down: a problem whose
every duration is rounded down is a relaxation, so a bound proven there holds for the true one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hetero.schedule.arrays import Arrays, Floats, Ints

__all__ = ["Ticks", "all_delays", "ticks_for", "time_ticks"]

EXACT_RANGE = 1 << 42
ROUNDED_RANGE = 1 << 40
RELATIVE_NOISE = 2e-15  # a decimal read into a float is off by less, also after one or two operations
SUM_NOISE = 1e-13  # and a sum of many by less than this


@dataclass(frozen=True, slots=True)
class Ticks:
    """`per_unit` ticks make one second, byte, joule or dollar."""

    per_unit: float
    exact: bool

    def whole(self, values: Floats) -> Ints:
        """The values in ticks, exact or rounded down."""
        scaled = values * self.per_unit
        rounded = np.rint(scaled) if self.exact else np.floor(scaled * (1 - RELATIVE_NOISE))
        whole: Ints = rounded.astype(np.int64)
        return whole

    def at_most(self, limit: float) -> int:
        """What a sum of `whole` ticks may reach if the sum of the values may reach `limit`."""
        return math.floor(limit * self.per_unit * (1 + SUM_NOISE))

    def at_least(self, bound: float) -> int:
        """What a whole number of ticks reaches if it stands for `bound` or more."""
        scaled = bound * self.per_unit * (1 - SUM_NOISE)
        return math.ceil(scaled) if self.exact else math.floor(scaled)

    def value(self, ticks: float) -> float:
        """Ticks back in the unit."""
        return ticks / self.per_unit


def ticks_for(values: Floats, largest: float) -> Ticks:
    """Ticks in which the finite `values` are exact if they can be, and no sum passes `largest`."""
    finite = np.unique(values[np.isfinite(values) & (values > 0)])
    if len(finite) == 0 or not 0 < largest < math.inf:
        return Ticks(1.0, exact=True)
    for digits in range(13):
        scale = 10.0**digits
        if largest * scale > EXACT_RANGE:
            break
        scaled = finite * scale
        whole = np.rint(scaled)
        if (np.abs(scaled - whole) <= RELATIVE_NOISE * scaled).all():
            common = int(np.gcd.reduce(whole.astype(np.int64)))
            return Ticks(scale / common, exact=True)
    return Ticks(ROUNDED_RANGE / largest, exact=False)


def time_ticks(arrays: Arrays, horizon_s: float) -> Ticks:
    """Ticks for every duration and transfer that fits in a horizon; what is longer cannot be used in it."""
    values = np.concatenate([arrays.seconds, all_delays(arrays)])
    return ticks_for(values[values <= horizon_s], horizon_s)


def all_delays(arrays: Arrays, *, with_latency: bool = True) -> Floats:
    """Every transfer time that can occur."""
    latency = arrays.latency if with_latency else np.zeros_like(arrays.latency)
    sizes = np.unique(arrays.nbytes[arrays.nbytes > 0])
    return np.concatenate([[0.0], *((latency + size / arrays.rate).ravel() for size in sizes)])
