"""How fast cores are side by side, relative to one alone: measured once on a machine.

Virtual cores are often two threads of one physical core, and all cores share caches and memory bandwidth, so that
two busy ones do less than twice the work of one. A multiply-add over arrays that fit the second-level cache stands for
what inference does; NumPy releases the interpreter lock for it.
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

_FLOATS = 32 * 1024
_BLOCK_S = 0.03
_ROUNDS = 5


def core_efficiency(cpu: Processor, store: ProfileStore) -> dict[int, float]:
    """Speed of each of ``n`` busy cores relative to one alone, for n = 2, 4, ... up to the cores of the processor.

    Measured at the first call (0.3 s a step) and kept in the store for this processor.
    """
    key = digest_of(cpu.model, cpu.cores, list(cpu.features))
    kept = store.get_record("core efficiency", key)
    if kept is not None:
        return {int(n): float(speed) for n, speed in kept.items()}
    counts = [n for n in _doubling(cpu.cores) if n > 1]
    found = {n: measure_efficiency(n) for n in counts}
    if found:
        store.put_record("core efficiency", key, {str(n): speed for n, speed in found.items()})
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
    counts = [0] * threads
    barrier = threading.Barrier(threads)

    def work(index: int) -> None:
        a = np.full(_FLOATS, 1.0001, np.float32)
        b, out = a.copy(), np.empty_like(a)
        barrier.wait()
        until = clock() + _BLOCK_S
        while clock() < until:
            for _ in range(8):
                np.multiply(a, b, out=out)
                np.add(out, b, out=out)
            counts[index] += 1

    workers = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / threads / _BLOCK_S
