"""How fast an op runs beside copies of itself, relative to running alone: what the lanes of a map do to each other.

The general factor of the machine (``hetero.cost.contention``) knows nothing of caches and memory bandwidth that this
op needs, nor of an engine that serves one call at a time.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

from hetero.cost.contender import device_run, execute
from hetero.cost.record import Call
from hetero.device import Device, Variant
from hetero.ops.base import Op

__all__ = ["speed_beside"]

_BLOCK_S = 0.05
_ROUNDS = 3


def speed_beside(
    device: Device,
    op: Op,
    variant: Variant,
    call: Call,
    copies: int,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """The speed of each of so many runs at once, relative to one alone; at most 1.

    One executable serves them all, as in the runtime, with at most the device's ``concurrency`` calls inside. Alone and
    together alternate, so that a drift of the machine hits both.

    Raises:
        DeviceError: the device cannot compile the op.
    """
    with execute(device, op, variant) as executable:
        run = device_run(executable)
        inside = threading.BoundedSemaphore(device.info.concurrency)

        def once(inputs: list[Any]) -> None:
            with inside:
                run(inputs)

        inputs = [[device.memory.put(value) for value in call.inputs] for _ in range(copies)]
        for own in inputs:
            once(own)
        ratios = []
        for _ in range(_ROUNDS):
            alone = _rate(once, inputs[:1], clock)
            ratios.append(_rate(once, inputs, clock) / alone)
        return min(1.0, statistics.median(ratios))


def _rate(once: Callable[[list[Any]], None], inputs: list[list[Any]], clock: Callable[[], float]) -> float:
    """Runs a second of each thread, on average, while all of them run."""
    rates: list[float] = []
    barrier = threading.Barrier(len(inputs))

    def work(own: list[Any]) -> None:
        barrier.wait()
        runs, started = 0, clock()
        while True:
            once(own)
            runs += 1
            if (taken := clock() - started) >= _BLOCK_S:
                break
        rates.append(runs / taken)

    workers = [threading.Thread(target=work, args=(own,)) for own in inputs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(rates) / len(rates) if len(rates) == len(inputs) else 0.0
