"""How fast cores are side by side, relative to one alone: measured once a day on a machine.

Virtual cores are often two threads of one physical core, and all cores share caches and memory bandwidth, so that
two busy ones do less than twice the work of one. Multiply-adds over arrays that fit the second-level cache stand for
what inference does. NumPy releases the interpreter lock for them, once for about a millisecond: with calls of a few
microseconds the threads would wait for the lock rather than for a core, and half the machine would seem to be missing.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hetero.cost.store import ProfileStore
from hetero.machine import Processor
from hetero.values import digest_of

__all__ = ["CoreSpeeds", "core_efficiency", "measure_efficiency"]

_KIND = "core efficiency of multiply-adds, with its date"
_FLOATS = 32 * 1024
_ROWS = 64
_BLOCK_S = 0.03
_ROUNDS = 5
_LASTS_S = 86400.0
_UNSTEADY_LASTS_S = 600.0
"""Seconds that a figure is kept; one whose rounds disagreed, as on a busy machine, is looked at again soon."""
_STEADY = 0.1


@dataclass(frozen=True, slots=True)
class CoreSpeeds:
    """Speed of each of ``n`` busy cores relative to one alone, by ``n``, and when it was measured (seconds since the
    epoch)."""

    speeds: dict[int, float]
    measured_at: float


def core_efficiency(
    cpu: Processor,
    store: ProfileStore,
    clock: Callable[[], float] = time.perf_counter,
    now: Callable[[], float] = time.time,
) -> CoreSpeeds:
    """Speed of each of ``n`` busy cores relative to one alone, for n = 2, 4, ... up to the cores of the processor.

    Measured at the first call (0.3 s a step) and kept in the store for this processor: for a day, or for ten minutes
    where the rounds of a measurement differed by more than a tenth.
    """
    key = digest_of(cpu.model, cpu.cores, list(cpu.features))
    kept = store.get_record(_KIND, key)
    if kept is not None and 0 <= now() - float(kept["at"]) < float(kept["lasts_s"]):
        return CoreSpeeds({int(n): float(speed) for n, speed in kept["speeds"].items()}, float(kept["at"]))
    found = {n: measure_efficiency(n, clock) for n in _doubling(cpu.cores) if n > 1}
    at = now()
    if found:
        steady = all(is_steady for _, is_steady in found.values())
        record = {
            "at": at,
            "lasts_s": _LASTS_S if steady else _UNSTEADY_LASTS_S,
            "speeds": {str(n): speed for n, (speed, _) in found.items()},
        }
        store.put_record(_KIND, key, record)
    return CoreSpeeds({n: speed for n, (speed, _) in found.items()}, at)


def measure_efficiency(cores: int, clock: Callable[[], float] = time.perf_counter) -> tuple[float, bool]:
    """Speed of each of ``cores`` threads at work, relative to one alone, at most 1; and whether the rounds agreed.

    Alone and together alternate, so that a drift of the machine hits both. The fastest round of each counts: other
    work on the machine only ever takes from either.
    """
    alone, together = [], []
    for _ in range(_ROUNDS):
        alone.append(_rate(1, clock))
        together.append(_rate(cores, clock))
    return min(1.0, max(together) / max(alone)), _agree(alone) and _agree(together)


def _agree(rates: Sequence[float]) -> bool:
    return statistics.median(rates) >= (1 - _STEADY) * max(rates)


def _doubling(cores: int) -> list[int]:
    counts = [1]
    while counts[-1] * 2 <= cores:
        counts.append(counts[-1] * 2)
    return counts if counts[-1] == cores else [*counts, cores]


def _rate(threads: int, clock: Callable[[], float]) -> float:
    """Kernels a second of each thread, on average."""
    rates = [0.0] * threads
    barrier = threading.Barrier(threads)

    def work(index: int) -> None:
        row, out = np.full(_FLOATS, 1.0001, np.float32), np.empty(_FLOATS, np.float32)
        # One row in memory, read so many times: the work of a matrix that never leaves the cache.
        rows = np.broadcast_to(row, (_ROWS, _FLOATS))
        barrier.wait()
        runs, started = 0, clock()
        while True:
            np.einsum("ij,ij->j", rows, rows, out=out)
            runs += 1
            if (taken := clock() - started) >= _BLOCK_S:
                break
        rates[index] = runs / taken

    workers = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(rates) / threads
