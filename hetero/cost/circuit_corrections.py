"""How far this machine is from the one on which the rates of simulation methods were fitted, learned by running.

Every run of a method whose time is certain tells what it took and what was forecast. The median of the last ratios
corrects the next forecasts: a busy moment, or one circuit that is unlike all others, moves a median little.
"""

from __future__ import annotations

import json
import logging
import math
import os
import platform
import statistics
import threading
import time
from collections import deque
from functools import cache
from pathlib import Path

from hetero.files import cache_directory, write_atomically
from hetero.values import digest_of

__all__ = ["Corrections", "corrections"]

log = logging.getLogger(__name__)

LEAST_S = 5e-3
"""Shorter runs tell more of calls and threads than of the method."""

KEPT, ENOUGH = 15, 5
"""So many ratios of a method are kept; fewer than the second number correct nothing."""

MOST = 4.0
"""No forecast is corrected by more: what is further off is not explained by the machine."""

SAVE_EVERY_S = 5.0


class Corrections:
    """Kept in a file, so that the next process begins with what this one learned. Threads may share one."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._ratios: dict[str, deque[float]] = _read(path)
        self._saved_s = time.monotonic()

    def factor(self, method: str) -> float:
        """By what a forecast of the method's seconds is to be multiplied."""
        with self._lock:
            ratios = list(self._ratios.get(method, ()))
        if len(ratios) < ENOUGH:
            return 1.0
        return min(max(statistics.median(ratios), 1 / MOST), MOST)

    def observe(self, method: str, predicted_s: float, seconds: float) -> None:
        """A run took ``seconds`` where the shipped rates, uncorrected, had said ``predicted_s``."""
        if max(predicted_s, seconds) < LEAST_S or predicted_s <= 0 or not math.isfinite(predicted_s):
            return
        with self._lock:
            self._ratios.setdefault(method, deque(maxlen=KEPT)).append(seconds / predicted_s)
            if self._path is None or time.monotonic() < self._saved_s + SAVE_EVERY_S:
                return
            self._saved_s = time.monotonic()
            plain = {name: list(ratios) for name, ratios in self._ratios.items()}
        try:
            write_atomically(self._path, json.dumps(plain).encode())
        except OSError as error:  # learning goes on in this process
            log.warning("what was learned of simulators cannot be kept in %s: %s", self._path, error)


def _read(path: Path | None) -> dict[str, deque[float]]:
    """What an earlier process learned; nothing where there is no such file, or a damaged one."""
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
        return {str(name): deque(map(float, ratios), maxlen=KEPT) for name, ratios in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        log.warning(
            "what was learned of simulators cannot be read from %s and is begun anew: %s", path, error
        )
        return {}


@cache
def corrections() -> Corrections:
    """This machine's: a cache may be on a disk that several machines share."""
    machine = digest_of(platform.node(), platform.machine(), os.cpu_count())[:12]
    return Corrections(cache_directory() / f"simulators-{machine}.json")
