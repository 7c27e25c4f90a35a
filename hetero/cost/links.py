"""How long values take between memory spaces: two sizes are timed, a latency and a bandwidth fitted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from hetero.cost.store import ProfileStore
from hetero.cost.timing import summarise
from hetero.device import Device, DeviceInfo, Memory
from hetero.machine import Link, Machine

__all__ = ["fit_link", "measure_links"]

HOST_SPACE = "host"
SMALL_NBYTES, LARGE_NBYTES = 64 << 10, 16 << 20
_KIND = "link"
_REPETITIONS = 7


def measure_links(
    machine: Machine,
    open_device: Callable[[DeviceInfo], Device],
    store: ProfileStore | None = None,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Link, ...]:
    """The links between the machine's memory spaces: from and to the host measured, those between two others
    by way of the host. One device of each space is opened, unless the store has its links.

    Raises:
        DeviceError: a device of a space cannot be opened.
    """
    by_space = {
        info.memory_space: info for info in reversed(machine.devices) if info.memory_space != HOST_SPACE
    }
    links: list[Link] = []
    for space, info in sorted(by_space.items()):
        key = f"{info.fingerprint(machine.processor(info.processor))} {space}"
        record = store.get_record(_KIND, key) if store is not None else None
        if record is None:
            record = _measure(open_device(info).memory, clock)
            if store is not None:
                store.put_record(_KIND, key, record)
        for source, target, way in ((HOST_SPACE, space, "put"), (space, HOST_SPACE, "get")):
            latency_s, bytes_per_s = record[way]
            links.append(Link(source, target, latency_s, bytes_per_s))
    return (*links, *_by_way_of_host(links))


def fit_link(small_s: float, large_s: float) -> tuple[float, float]:
    """Latency in seconds and bytes per second through the times of the two sizes.

    Where the large transfer took no longer than the small one (nothing is copied, or the clock is too coarse)
    all of it is latency, and the bandwidth is what the large one shows at least.

    >>> fit_link(1e-4 + SMALL_NBYTES / 1e9, 1e-4 + LARGE_NBYTES / 1e9)
    (0.0001, 1000000000.0)
    """
    if large_s <= small_s:
        return small_s, LARGE_NBYTES / max(large_s, 1e-9)
    bytes_per_s = (LARGE_NBYTES - SMALL_NBYTES) / (large_s - small_s)
    return max(0.0, round(small_s - SMALL_NBYTES / bytes_per_s, 12)), round(bytes_per_s, 3)


def _measure(memory: Memory, clock: Callable[[], float]) -> dict[str, Any]:
    put_s: list[float] = []
    get_s: list[float] = []
    for nbytes in (SMALL_NBYTES, LARGE_NBYTES):
        puts, gets = zip(*(_round_trip(memory, nbytes, clock) for _ in range(_REPETITIONS + 1)), strict=True)
        put_s.append(summarise(puts[1:]).seconds)  # the first trip allocates
        get_s.append(summarise(gets[1:]).seconds)
    return {"put": fit_link(*put_s), "get": fit_link(*get_s)}


def _round_trip(memory: Memory, nbytes: int, clock: Callable[[], float]) -> tuple[float, float]:
    """Seconds to put a value and to get it back.

    A put may return before the value has arrived; getting it waits for that. So the value is got twice: the
    second time is the get's own, and what the first one took longer was still the put.
    """
    value = np.zeros(nbytes // 4, np.float32)
    started = clock()
    there = memory.put(value)
    put = clock()
    memory.get(there)
    first = clock()
    memory.get(there)
    second = clock()
    get_s = second - first
    return (put - started) + max(0.0, (first - put) - get_s), get_s


def _by_way_of_host(links: list[Link]) -> list[Link]:
    up = [link for link in links if link.source == HOST_SPACE]
    down = [link for link in links if link.target == HOST_SPACE]
    return [
        Link(
            a.source,
            b.target,
            a.latency_s + b.latency_s,
            1 / (1 / a.bytes_per_s + 1 / b.bytes_per_s),
            origin="modelled: by way of the host",
        )
        for a in down
        for b in up
        if a.source != b.target
    ]
