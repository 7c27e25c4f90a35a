"""What shots give: how often each bit string was seen. Two of them are never equal, and may still agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["Counts", "tally", "values_of"]

SIGNIFICANCE = 1e-6
"""Samples of one distribution are taken for different ones once in a million comparisons."""

SMALLEST_BIN = 5
"""Outcomes expected less often than this are counted together: the chi-square law does not hold for them alone."""


class Counts(dict[str, int]):
    """A plain dict of bit string -> times seen that knows what its difference from another sample means.

    >>> Counts({"00": 498, "11": 502}).hetero_difference({"00": 520, "11": 480})
    0.0
    >>> Counts({"00": 498, "11": 502}).hetero_difference({"00": 900, "11": 100})
    0.402
    """

    @property
    def shots(self) -> int:
        return sum(self.values())

    def hetero_difference(self, found: Any) -> float:
        """What `hetero.cost.difference` asks: 0 where both may be samples of one distribution, else their total
        variation distance (0 to 1).

        Decided by the two-sample chi-square test at `SIGNIFICANCE`. Infinite where ``found`` is no sample of as
        many shots.
        """
        if not isinstance(found, Mapping) or not all(isinstance(n, int) for n in found.values()):
            return math.inf
        if sum(found.values()) != self.shots:
            return math.inf
        keys = sorted({*self, *found})
        table = np.array([[counts.get(key, 0) for key in keys] for counts in (self, found)], np.float64)
        if _plausible(table):
            return 0.0
        return float(np.abs(table[0] - table[1]).sum() / 2 / self.shots)


def tally(samples: np.ndarray[Any, Any], clbits: Sequence[int]) -> dict[int, int]:
    """How often each value of the classical bits was seen: ``samples`` (shots, bits) of 0 and 1, whose columns are
    these classical bits.

    >>> tally(np.array([[1, 0], [1, 0], [0, 1]]), [2, 0])
    {1: 1, 4: 2}
    """
    packed = np.packbits(np.asarray(samples, bool), axis=1, bitorder="little")
    seen, times = np.unique(packed, axis=0, return_counts=True)
    counts: dict[int, int] = {}
    for row, n in zip(seen, times.tolist(), strict=True):
        number = int.from_bytes(row.tobytes(), "little")
        bits = sum((number >> place & 1) << clbit for place, clbit in enumerate(clbits))
        counts[bits] = counts.get(bits, 0) + n
    return dict(sorted(counts.items()))


def values_of(counts: Mapping[str, int]) -> dict[int, int]:
    """Bit strings as values of the classical bits; the spaces between registers say nothing.

    >>> values_of({"0 11": 5})
    {3: 5}
    """
    return {int(bits.replace(" ", ""), 2): n for bits, n in counts.items()}


def _plausible(table: np.ndarray[Any, Any]) -> bool:
    """Whether two rows of counts with equal sums may be of one distribution."""
    from scipy.stats import chi2

    rare = table.sum(0) < 2 * SMALLEST_BIN
    bins = np.column_stack([table[:, ~rare], table[:, rare].sum(1)])
    total = bins.sum(0)
    statistic = float(((bins[0] - bins[1]) ** 2 / np.maximum(total, 1)).sum())
    freedom = int((total > 0).sum()) - 1
    return freedom < 1 or float(chi2.sf(statistic, freedom)) >= SIGNIFICANCE
