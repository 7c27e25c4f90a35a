"""Whose energy it is: shares of requests that run beside each other on a processor, or together in a batch.

The rule, for a processor and a stretch of time, whose energy was counted or modelled:

1. *Active* energy, which comes and goes with work, goes to calls by the core seconds that they held, and from a call to
   the requests in it by the items that each brought into the batch (padding is paid by those who share the call).
2. *Idle* energy, which is there whatever runs, goes at each moment in equal parts to the requests that are in the
   system. What falls on moments without any request is carried by all requests of the stretch alike: the machine was
   kept ready for them.
3. Where the total was counted, these shares are scaled to it; so they always add up to it. A stretch without requests
   has no shares, and its energy is nobody's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

from hetero.errors import ArgumentError
from hetero.machine import Processor

__all__ = ["Call", "Stay", "shares", "shares_of_all"]

R = TypeVar("R", bound=Hashable)
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Call(Generic[R]):
    """Work on the processor: ``cores`` held for ``seconds``, and how many items each request brought."""

    cores: float
    seconds: float
    items: Mapping[R, float]


@dataclass(frozen=True, slots=True)
class Stay(Generic[R]):
    """How long a request was in the system, from its arrival to its answer, in seconds of any one clock."""

    request: R
    start_s: float
    end_s: float


def shares(
    processor: Processor,
    calls: Sequence[Call[R]],
    stays: Sequence[Stay[R]],
    window_s: tuple[float, float],
    total_joules: float | None = None,
) -> dict[R, float]:
    """Joules by request; they add up to ``total_joules``, or without it to what the power model says.

    Raises:
        ArgumentError: a time or a number of items is negative or not finite, or a call has no items.

    >>> cpu = Processor("cpu", cores=2, idle_watts=10.0, active_watts_per_core=5.0)
    >>> together = Call(cores=2, seconds=1.0, items={"a": 3, "b": 1})
    >>> shares(cpu, [together], [Stay("a", 0.0, 1.0), Stay("b", 0.0, 1.0)], (0.0, 1.0))
    {'a': 12.5, 'b': 7.5}
    """
    start_s, end_s = window_s
    _require(end_s - start_s, "window")
    found: dict[R, float] = {stay.request: 0.0 for stay in stays}
    for call in calls:
        _require(call.cores * call.seconds, "call")
        joules = processor.active_watts_per_core * call.cores * call.seconds
        whole = math.fsum(_require(items, "number of items") for items in call.items.values())
        if not whole > 0:
            raise ArgumentError("a call has no items: its energy is nobody's")
        for request, items in call.items.items():
            found[request] = found.get(request, 0.0) + joules * items / whole
    if not found:
        return {}
    for request, joules in _idle(processor, stays, start_s, end_s, list(found)).items():
        found[request] += joules
    if total_joules is None:
        return found
    return _scaled(found, _require(total_joules, "total"))


def shares_of_all(
    processors: Sequence[Processor],
    calls: Mapping[str, Sequence[Call[R]]],
    stays: Sequence[Stay[R]],
    window_s: tuple[float, float],
    total_joules: float | None = None,
) -> dict[str, dict[R, float]]:
    """Joules by processor and request, where counters tell of all processors together; ``calls`` are by the processor's
    name. What was counted is divided over the processors as the power model says.

    Raises:
        ArgumentError: as from ``shares``.
    """
    found = {one.name: shares(one, calls.get(one.name, ()), stays, window_s) for one in processors}
    if total_joules is None:
        return found
    everything = {(name, request): joules for name, own in found.items() for request, joules in own.items()}
    scaled = _scaled(everything, _require(total_joules, "total")) if everything else {}
    return {name: {request: scaled[name, request] for request in own} for name, own in found.items()}


def _idle(
    processor: Processor, stays: Sequence[Stay[R]], start_s: float, end_s: float, everyone: Sequence[R]
) -> dict[R, float]:
    there = _presence(stays, start_s, end_s)
    change = Counter[float]()
    for spans in there.values():
        for came_s, left_s in spans:
            change[came_s] += 1
            change[left_s] -= 1
    # What one who was there all the time would have by each moment: a span's part is a difference of two of these.
    had, joules, alone, present = {start_s: 0.0}, 0.0, 0.0, change[start_s]
    for before, after in pairwise(sorted({start_s, end_s, *change})):
        part = processor.idle_watts * (after - before)
        joules, alone = (joules + part / present, alone) if present else (joules, alone + part)
        had[after] = joules
        present += change[after]
    return {
        request: sum(had[left_s] - had[came_s] for came_s, left_s in there.get(request, ()))
        + alone / len(everyone)
        for request in everyone
    }


def _presence(stays: Sequence[Stay[R]], start_s: float, end_s: float) -> dict[R, list[tuple[float, float]]]:
    """When each request was in the system, within the window, as spans that do not overlap."""
    found: dict[R, list[tuple[float, float]]] = {}
    for stay in sorted(stays, key=lambda one: one.start_s):
        _require(stay.end_s - stay.start_s, "stay")
        came_s, left_s = (min(max(moment, start_s), end_s) for moment in (stay.start_s, stay.end_s))
        own = found.setdefault(stay.request, [])
        if own and came_s <= own[-1][1]:
            own[-1] = own[-1][0], max(left_s, own[-1][1])
        else:
            own.append((came_s, left_s))
    return found


def _scaled(found: Mapping[K, float], total: float) -> dict[K, float]:
    modelled = math.fsum(found.values())
    if modelled > 0:
        # Not times total / modelled, which is infinite where hardly anything is modelled.
        return {request: joules / modelled * total for request, joules in found.items()}
    return {request: total / len(found) for request in found}


def _require(value: float, what: str) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise ArgumentError(f"attribution of energy: a {what} of {value!r}; expected a finite number >= 0")
    return value
