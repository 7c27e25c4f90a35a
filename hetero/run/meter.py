"""What each request of a session took of the machine's energy and money, by the rule of ``hetero.cost.attribution``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from hetero.cost import price
from hetero.cost.attribution import Call, Stay, shares, shares_of_all
from hetero.plans import Plan

__all__ = ["Meter", "Share"]


class Counting(Protocol):
    """``hetero.cost.counters.Counter`` is one."""

    @property
    def source(self) -> str: ...
    def begin(self) -> None: ...
    def end(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Share:
    """What one request took. Requests are numbered in the order in which they came.

    ``seconds`` are those from its coming to its answer, or until now. ``dollars`` are its energy with the cooling, and
    its part of the machine's rent, which is shared as idle power is.
    """

    request: int
    seconds: float
    joules: float
    dollars: float


class Meter:
    """Requests, when they came and were answered, and the calls that were made for them.

    Without a ``counter`` energy is what the power model of the plan's machine says.
    """

    def __init__(
        self, plan: Plan, counter: Counting | None = None, now: Callable[[], float] = time.perf_counter
    ) -> None:
        names = {
            plan.machine.device(choice.device).processor
            for choice in plan.choices.values()
            if choice.device in _devices(plan)
        }
        self._processors = tuple(one for one in plan.machine.processors if one.name in names)
        self._cores = {path: choice.variant.threads for path, choice in plan.choices.items()}
        self._counter, self._now = counter, now
        self._lock = threading.Lock()
        self._came_s: list[float] = []
        self._left_s: dict[int, float] = {}
        self._calls: dict[str, list[Call[int]]] = {}
        self._opened_s = now()
        if counter is not None:
            counter.begin()

    @property
    def source(self) -> str:
        """Where the joules come from."""
        if self._counter is not None:
            return self._counter.source
        return "; ".join(dict.fromkeys(one.power_source for one in self._processors))

    def arrive(self) -> int:
        """A request has come; its number."""
        with self._lock:
            self._came_s.append(self._now())
            return len(self._came_s) - 1

    def leave(self, request: int) -> None:
        """It is answered, or has failed."""
        self._left_s.setdefault(request, self._now())

    def worked(self, path: str, processor: str, seconds: float, items: Mapping[int, float]) -> None:
        """A call of a node, and how many items each request had in it."""
        cores = min(
            self._cores.get(path, 0), next((p.cores for p in self._processors if p.name == processor), 0)
        )
        if cores and items:
            with self._lock:
                self._calls.setdefault(processor, []).append(Call(cores, max(seconds, 0.0), items))

    def shares(self) -> tuple[Share, ...]:
        """Of all requests since it was opened. The joules add up to what was counted or modelled, the dollars to the
        rent of the processors in use and that energy; without any request they are nobody's."""
        now_s = self._now()
        counted = None if self._counter is None else self._counter.end()
        with self._lock:
            came_s, calls = tuple(self._came_s), {name: tuple(own) for name, own in self._calls.items()}
        stays = [
            Stay(number, start_s, self._left_s.get(number, now_s)) for number, start_s in enumerate(came_s)
        ]
        window_s = (self._opened_s, now_s)
        joules = shares_of_all(self._processors, calls, stays, window_s, counted)
        dollars = dict.fromkeys(range(len(came_s)), 0.0)
        for one in self._processors:
            rent = replace(one, idle_watts=price.dollars(one, 1.0), active_watts_per_core=0.0)
            for number, part in shares(rent, (), stays, window_s).items():
                dollars[number] += part + price.dollars(one, 0.0, joules[one.name][number])
        return tuple(
            Share(
                stay.request,
                stay.end_s - stay.start_s,
                sum(own[stay.request] for own in joules.values()),
                dollars[stay.request],
            )
            for stay in stays
        )


def _devices(plan: Plan) -> set[str]:
    return {device.name for device in plan.machine.devices}
