"""The caches as the other nodes of a pipeline leave them: filled with something else.

A run that follows a run of the same op finds its weights and inputs in the caches. In a pipeline it follows other
nodes, and small models and Python functions then take two to eight times as long. So an op is timed both ways, and the
planner takes what lies between by how much its neighbours move.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

__all__ = ["EVICTING_NBYTES", "evict", "last_level_nbytes"]

_USUAL_NBYTES = 32 << 20
_LARGEST_NBYTES = 64 << 20


def last_level_nbytes(root: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> int:
    """Size of the largest cache that the first core can use; 32 MiB where the system does not say."""
    sizes = [_parsed(path.read_text("ascii")) for path in sorted(root.glob("index*/size"))]
    return max(sizes, default=_USUAL_NBYTES)


def _parsed(text: str) -> int:
    """
    >>> _parsed("512K"), _parsed("32M")
    (524288, 33554432)
    """
    text = text.strip()
    units = {"K": 10, "M": 20, "G": 30}
    return int(text[:-1]) << units[text[-1]] if text[-1] in units else int(text)


EVICTING_NBYTES = min(2 * last_level_nbytes(), _LARGEST_NBYTES)
"""Moving so much leaves nothing of what was there before. Bounded: writing it is a part of what measuring costs."""


@cache
def _ballast() -> np.ndarray:
    return np.zeros(EVICTING_NBYTES // 8)


def evict() -> None:
    """Fill the caches with something else."""
    ballast = _ballast()
    np.add(ballast, 1.0, out=ballast)
