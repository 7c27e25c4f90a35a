"""How fast cores are side by side, relative to one alone: measured once on a machine.

Virtual cores are often two threads of one physical core, and all cores share caches and memory bandwidth, so that
two busy ones do less than twice the work of one. Multiply-adds over arrays that fit the second-level cache stand for
what inference does. NumPy releases the interpreter lock for them, once for about a millisecond: with calls of a few
microseconds the threads would wait for the lock rather than for a core, and half the machine would seem to be missing.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable

import numpy as np

from hetero.cost.store import ProfileStore
from hetero.machine import Processor
from hetero.values import digest_of

__all__ = ["core_efficiency", "measure_efficiency"]

_KIND = "core efficiency of multiply-adds"
_FLOATS = 32 * 1024
_ROWS = 64
_BLOCK_S = 0.03
_ROUNDS = 5


def core_efficiency(cpu: Processor, store: ProfileStore) -> dict[int, float]:
    """Speed of each of ``n`` busy cores relative to one alone, for n = 2, 4, ... up to the cores of the processor.

    Measured at the first call (0.3 s a step) and kept in the store for this processor.
    """
    key = digest_of(cpu.model, cpu.cores, list(cpu.features))
    kept = store.get_record(_KIND, key)
    if kept is not None:
        return {int(n): float(speed) for n, speed in kept.items()}
    counts = [n for n in _doubling(cpu.cores) if n > 1]
    found = {n: measure_efficiency(n) for n in counts}
    if found:
        store.put_record(_KIND, key, {str(n): speed for n, speed in found.items()})
    return found


def measure_efficiency(cores: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Speed of each of ``cores`` threads at work, relative to one alone; at most 1.

    Alone and together alternate, so that a drift of the machine hits both.
    """
    ratios = []
    for _ in range(_ROUNDS):
        alone = _rate(1, clock)
        ratios.append(_rate(cores, clock) / alone)
    return min(1.0, statistics.median(ratios))


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
