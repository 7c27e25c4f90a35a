"""How fast ops run beside each other, relative to running alone: copies of one in the lanes of a map, or two nodes.

The general factor of the machine (``hetero.cost.contention``) knows nothing of caches and memory bandwidth that these
ops need, nor of an engine that serves one call at a time.
"""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from hetero.admission import Admission
from hetero.cost.contender import device_run, execute
from hetero.cost.record import Call
from hetero.device import Device, Variant, refuse
from hetero.errors import DeviceError
from hetero.ops.base import Op

__all__ = ["Side", "speed_beside", "speeds_of_pair"]

_BLOCK_S = 0.05
_ROUNDS = 3
_ROUNDS_OF_PAIR = 5
_ENOUGH_S = 3.0
"""Rounds of a pair after the first are not begun later than this: long runs are steady in themselves."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """An op as it would run, and a call of it."""

    device: Device
    op: Op
    variant: Variant
    call: Call

    @property
    def built(self) -> tuple[object, ...]:
        """Nodes that are alike in this share one executable, as in the runtime."""
        return self.device.info.name, self.variant, self.op.kind, self.op.digest


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
        DeviceError: the device cannot compile the op, or the op fails beside itself.
    """
    with ExitStack() as stack:
        runs = _opened([Side(device, op, variant, call)] * copies, stack)
        ratios = []
        for _ in range(_ROUNDS):
            (alone,) = _rates(runs[:1], clock)
            ratios.append(statistics.fmean(_rates(runs, clock)) / alone)
        return min(1.0, statistics.median(ratios))


def speeds_of_pair(
    sides: tuple[Side, Side], rivals: tuple[Side, Side], clock: Callable[[], float] = time.perf_counter
) -> tuple[float, float]:
    """How often each of two runs beside the other while its rival, by itself, runs once.

    A rival is the same node as it would run with nothing beside it: the side itself, or a way that needs more cores.
    Each rival and both sides together take turns, as often as five times, and only what is of one round is compared: a
    virtual machine may change within seconds such that the rivals get faster and the sides slower, and the fastest of
    all rounds would be of two machines. The round in the middle counts.

    Raises:
        DeviceError: a device cannot compile its op, or one fails beside the other.
    """
    started = clock()
    with ExitStack() as stack:
        runs = _opened([*rivals, *sides], stack)
        rounds: list[tuple[float, float]] = []
        while len(rounds) < _ROUNDS_OF_PAIR and (not rounds or clock() - started < _ENOUGH_S):
            mine, others = (_rates([run], clock)[0] for run in runs[:2])
            first, second = _rates(runs[2:], clock)
            rounds.append((first / mine, second / others))
        return sorted(rounds, key=sum)[len(rounds) // 2]


def _opened(sides: Sequence[Side], stack: ExitStack) -> list[Callable[[], None]]:
    """What runs each side once, with inputs of its own; each has run."""
    shared: dict[tuple[object, ...], Callable[[list[Any]], None]] = {}
    runs = []
    for side in sides:
        if side.built not in shared:
            shared[side.built] = _gated(side, stack)
        inputs = [side.device.memory.put(value) for value in side.call.inputs]
        runs.append(_once(side, shared[side.built], inputs))
    for run in runs:
        run()
    return runs


def _gated(side: Side, stack: ExitStack) -> Callable[[list[Any]], None]:
    run = device_run(stack.enter_context(execute(side.device, side.op, side.variant)))
    # First come, first served: who leaves a semaphore and comes back at once is in again before the one that waits has
    # woken up, and of two that go on until both are timed one may wait for ever.
    door = Admission(requests=side.device.info.concurrency, nbytes=math.inf)

    def gated(inputs: list[Any]) -> None:
        door.wait(0)
        try:
            run(inputs)
        finally:
            door.leave(0)

    return gated


def _once(side: Side, run: Callable[[list[Any]], None], inputs: list[Any]) -> Callable[[], None]:
    def once() -> None:
        try:
            run(inputs)
        except DeviceError:
            raise
        except Exception as error:  # an engine may raise anything; it is not run beside this
            raise refuse(side.device.info.name, side.op, error) from error

    return once


def _rates(runs: Sequence[Callable[[], None]], clock: Callable[[], float]) -> list[float]:
    """Runs a second of each, all going on until the last one is timed: the shorter one is never left out of a block of
    the longer one, nor is the longer one ever timed with nothing beside it."""
    barrier = threading.Barrier(len(runs))
    left = [len(runs)]
    lock = threading.Lock()

    def work(once: Callable[[], None]) -> float:
        barrier.wait()
        rate, count, started = 0.0, 0, clock()
        try:
            while left[0] > 0:
                once()
                count += 1
                if not rate and (taken := clock() - started) >= _BLOCK_S:
                    rate = count / taken
                    with lock:
                        left[0] -= 1
        except BaseException:
            left[0] = 0
            raise
        return rate

    with ThreadPoolExecutor(len(runs)) as pool:
        return [future.result() for future in [pool.submit(work, run) for run in runs]]
