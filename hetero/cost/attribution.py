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
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

from hetero.errors import ArgumentError
from hetero.machine import Processor

__all__ = ["Call", "Stay", "shares"]

R = TypeVar("R", bound=Hashable)


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


def _idle(
    processor: Processor, stays: Sequence[Stay[R]], start_s: float, end_s: float, everyone: Sequence[R]
) -> dict[R, float]:
    joules = dict.fromkeys(everyone, 0.0)
    cuts = {start_s, end_s}
    for stay in stays:
        _require(stay.end_s - stay.start_s, "stay")
        cuts |= {min(max(moment, start_s), end_s) for moment in (stay.start_s, stay.end_s)}
    for before, after in pairwise(sorted(cuts)):
        present = {stay.request for stay in stays if stay.start_s <= before and after <= stay.end_s}
        part = processor.idle_watts * (after - before) / (len(present) or len(everyone))
        for request in present or everyone:
            joules[request] += part
    return joules


def _scaled(found: Mapping[R, float], total: float) -> dict[R, float]:
    modelled = math.fsum(found.values())
    if modelled > 0:
        return {request: joules * (total / modelled) for request, joules in found.items()}
    return {request: total / len(found) for request in found}


def _require(value: float, what: str) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise ArgumentError(f"attribution of energy: a {what} of {value!r}; expected a finite number >= 0")
    return value
