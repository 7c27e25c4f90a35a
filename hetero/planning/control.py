"""Maps and branches as tasks: each of their options is a whole plan of what is inside.

A map runs its items over ``lanes`` threads, each item's nodes one after the other in its lane. Its time is the sum of
what its nodes take over all items, divided over the lanes as far as the machine really runs them side by side; Python
code is never divided, since one interpreter lock lets one thread run at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from hetero.cost.estimate import Estimate, Source
from hetero.device import Variant
from hetero.graph import Graph, Node
from hetero.machine import Machine
from hetero.ops.map import MapOp
from hetero.planning.contention import Contention
from hetero.planning.evidence import Evidence
from hetero.plans import CONTROL, Choice, Considered, Pair, Plan
from hetero.rewrite.batch import batch_of

__all__ = ["Inside", "Setting", "apart_of", "better_for", "body", "control_options", "shapes"]

_ITEM_OVERHEAD_S = 2e-6
_LANE_OVERHEAD_S = 1e-4
_STACKING_OVERHEAD_S = 1e-5
"""To put an item into a batch and take its part of the answer out."""

Better: TypeAlias = Callable[[Estimate], tuple[float, float]]


def better_for(objective: str) -> Better:
    """What is minimised inside maps and branches."""
    if objective == "energy":
        return lambda estimate: (estimate.joules, estimate.seconds)
    if objective == "cost":
        return lambda estimate: (estimate.dollars, estimate.seconds)
    return lambda estimate: (estimate.seconds, estimate.joules)


@dataclass(frozen=True, slots=True)
class Inside:
    """One way to run everything inside a map or branch for one request.

    ``seconds`` is the time in sequence; ``locked_s`` the part of it that holds the interpreter lock, ``free_s`` the
    rest by path.
    """

    choices: Mapping[str, Choice] = field(default_factory=dict)
    seconds: float = 0.0
    spread_s: float = 0.0
    locked_s: float = 0.0
    free_s: Mapping[str, float] = field(default_factory=dict)
    joules: float = 0.0
    dollars: float = 0.0
    error: float = 0.0
    memory_bytes: float = 0.0
    threads: int = 1
    source: Source = "measured"

    def plus(self, other: Inside) -> Inside:
        """One after the other."""
        return Inside(
            {**self.choices, **other.choices},
            self.seconds + other.seconds,
            self.spread_s + other.spread_s,
            self.locked_s + other.locked_s,
            {**self.free_s, **other.free_s},
            self.joules + other.joules,
            self.dollars + other.dollars,
            self.error + other.error,
            self.memory_bytes + other.memory_bytes,
            max(self.threads, other.threads),
            "prior" if "prior" in (self.source, other.source) else self.source,
        )

    def estimate(self) -> Estimate:
        return Estimate(
            seconds=self.seconds,
            joules=self.joules,
            dollars=self.dollars,
            error=self.error,
            memory_bytes=self.memory_bytes,
            spread={"seconds": self.spread_s},
            sources={
                "seconds": "prior" if self.source == "prior" else "modelled",
                "joules": "modelled",
                "dollars": "modelled",
                "error": "measured",
                "memory_bytes": "modelled",
            },
        )


@dataclass(frozen=True, slots=True)
class Setting:
    """What deciding inside a map or branch needs to know."""

    options: Mapping[str, tuple[Considered, ...]]
    evidence: Evidence
    contention: Contention
    better: Better
    beside: Mapping[tuple[str, Choice, int], float] = field(default_factory=dict)
    """Path, choice and lanes to the measured speed of each lane relative to one alone."""
    pairs: Mapping[Pair, float] = field(default_factory=dict)
    """The measured speed of a node beside another one, relative to alone."""
    apart: frozenset[str] = frozenset()
    """The devices in worker processes, which leave the interpreter lock of this one alone."""

    @classmethod
    def of(
        cls, plan: Plan, evidence: Evidence, machine: Machine, options: Mapping[str, tuple[Considered, ...]]
    ) -> Setting:
        """What a plan was decided by, with other options or on what is left of its machine: nothing is measured anew.

        ``evidence`` is the plan's own, which whoever asks has made sure of.
        """
        return cls(
            options,
            evidence,
            Contention(plan.speeds.cores),
            better_for(plan.objective),
            beside=plan.speeds.beside,
            pairs=plan.speeds.pairs,
            apart=apart_of(machine),
        )

    def holds_lock(self, node: Node, device: str) -> bool:
        """Whether a node runs Python code in this process, where one interpreter lock lets one thread run at a time."""
        return node.op.kind == "function" and device not in self.apart

    def lockless(self) -> Setting:
        """The same with nothing but worker processes for what may run in one."""
        options = {path: _apart_only(found, self.apart) for path, found in self.options.items()}
        return replace(self, options=options)

    def speed(self, path: str, choice: Choice, lanes: int) -> float:
        measured = self.beside.get((path, choice, lanes))
        return self.contention.speed(lanes * choice.variant.threads) if measured is None else measured

    def best(self, path: str, threads: int, lanes: int = 1) -> Considered | None:
        """The best option of a node for at most so many threads in each of so many lanes."""
        fitting = [
            (option, replace(estimate, seconds=estimate.seconds * self._beside(path, option.choice, lanes)))
            for option in self.options[path]
            if option.usable and option.choice.variant.threads <= threads
            if (estimate := option.estimate) is not None
        ]
        return min(fitting, key=lambda pair: self.better(pair[1]), default=(None, None))[0]

    def _beside(self, path: str, choice: Choice, lanes: int) -> float:
        """How many times its seconds an option counts in so many lanes: the fastest alone may serve one at a time."""
        return 1.0 if lanes == 1 else self._waiting(path, choice, lanes) / self.speed(path, choice, lanes)

    def _waiting(self, path: str, choice: Choice, lanes: int) -> float:
        """How many times its seconds a batched option counts where lanes find no batch left."""
        if batch_of(choice.variant) == 1:
            return 1.0
        return lanes / self.calls_in_lanes(path.rpartition("/")[0], path, choice, lanes)

    def calls_in_lanes(self, map_path: str, path: str, choice: Choice, lanes: int) -> float:
        """How many lanes' worth of calls a map's run has of a node inside it: of batches there may be too few."""
        if batch_of(choice.variant) == 1:
            items = sum(self.evidence.lengths.get(map_path, ())) / self.evidence.samples
            return max(1.0, min(lanes, items))
        runs = max(len(self.evidence.lengths.get(map_path, ())), 1)
        batches = sum(call.count for call in self.evidence.calls_as(path, choice.variant)) / runs
        return batches / math.ceil(batches / lanes) if batches else 1.0


def _apart_only(options: tuple[Considered, ...], apart: frozenset[str]) -> tuple[Considered, ...]:
    """Those on these devices, where there are any."""
    return tuple(o for o in options if o.usable and o.choice.device in apart) or options


def apart_of(machine: Machine) -> frozenset[str]:
    """The devices that run in worker processes."""
    return frozenset(device.name for device in machine.devices if device.isolation == "process")


def control_options(
    path: str, node: Node, cores: int, setting: Setting
) -> Iterator[tuple[Considered, Mapping[str, Choice]]]:
    """The options of a map or branch: each with what is chosen at and below its path."""
    seen: set[tuple[object, ...]] = set()
    for lanes, threads in _shapes_of(node, cores):
        inside = _control(path, node, lanes, threads, setting)
        if inside is None:
            continue
        same = tuple(inside.choices.items())
        if same not in seen:
            seen.add(same)
            yield Considered(inside.choices[path], inside.estimate()), inside.choices


def shapes(cores: int) -> Iterator[tuple[int, int]]:
    """(lanes, threads of each) that together fit the cores, in powers of two."""
    lanes = 1
    while lanes <= cores:
        threads = 1
        while lanes * threads <= cores:
            yield lanes, threads
            threads *= 2
        lanes *= 2


def _shapes_of(node: Node, cores: int) -> Iterator[tuple[int, int]]:
    """Those of a map; a branch has one lane."""
    return ((lanes, threads) for lanes, threads in shapes(cores) if lanes == 1 or isinstance(node.op, MapOp))


def _control(path: str, node: Node, lanes: int, threads: int, setting: Setting) -> Inside | None:
    """A map at this many lanes, or a branch, with what is chosen inside it for this many threads (a lane).

    What is fastest alone need not be so in lanes: functions that hold the lock and functions that do not are compared.
    """
    settings = [setting, setting.lockless()] if lanes > 1 and setting.apart else [setting]
    ways = [_way(path, node, lanes, threads, each) for each in settings]
    found = [way for way in ways if way is not None]
    return min(found, key=lambda way: setting.better(way.estimate()), default=None)


def _way(path: str, node: Node, lanes: int, threads: int, setting: Setting) -> Inside | None:
    total = Inside()
    for side, graph in node.op.subgraphs.items():
        inside = body(graph, f"{path}/{side}/" if side else f"{path}/", threads, setting, lanes)
        if inside is None:
            return None
        total = total.plus(inside)
    settings: dict[str, int] = {}
    if isinstance(node.op, MapOp):
        total = _over_lanes(total, path, lanes, setting)
        settings["lanes"] = lanes
    own = Choice(CONTROL, Variant("native", threads=lanes * total.threads, settings=settings))
    return replace(total, choices={path: own, **total.choices}, threads=own.variant.threads)


def _over_lanes(inside: Inside, path: str, lanes: int, setting: Setting) -> Inside:
    """A map's time when its items are spread over lanes."""
    lengths = setting.evidence.lengths.get(path, ())
    items = sum(lengths) / setting.evidence.samples if lengths else 0.0
    stacked = sum(batch_of(inside.choices[inner].variant) > 1 for inner in inside.free_s)
    overhead = items * (_ITEM_OVERHEAD_S + stacked * _STACKING_OVERHEAD_S)
    seconds = inside.seconds
    if lanes > 1:
        useful = max(1.0, min(lanes, items))
        free = batched_s = 0.0
        for inner, s in inside.free_s.items():
            choice = inside.choices[inner]
            shared = setting.calls_in_lanes(path, inner, choice, lanes)
            free += s / (shared * setting.speed(inner, choice, lanes))
            batched_s += s if batch_of(choice.variant) > 1 else 0.0
        # At least one lane works through all that the lock serialises; at the end lanes wait for the last item. Of
        # batches it is counted how many each lane gets.
        ragged = ((inside.seconds - batched_s) / items) * (1 - 1 / lanes) / 2 if items else 0.0
        seconds = max(free + inside.locked_s / useful, inside.locked_s) + ragged + _LANE_OVERHEAD_S
    scale = seconds / inside.seconds if inside.seconds else 1.0
    return replace(inside, seconds=seconds + overhead, spread_s=inside.spread_s * scale)


def body(graph: Graph, prefix: str, threads: int, setting: Setting, lanes: int = 1) -> Inside | None:
    """The best way to run a graph in sequence with at most ``threads`` cores, in each of so many lanes; None where a
    node has no option."""
    total = Inside()
    for node in graph:
        path = prefix + node.name
        if node.op.subgraphs:
            ways = [
                inside
                for lanes, each in _shapes_of(node, threads)
                if (inside := _control(path, node, lanes, each, setting)) is not None
            ]
            if not ways:
                return None
            total = total.plus(min(ways, key=lambda way: setting.better(way.estimate())))
            continue
        best = setting.best(path, threads, lanes)
        if best is None or best.estimate is None:
            return None
        locked = setting.holds_lock(node, best.choice.device)
        reached = path in setting.evidence.calls
        total = total.plus(_one(path, best.choice, best.estimate, locked=locked, reached=reached))
    return total


def _one(path: str, choice: Choice, estimate: Estimate, *, locked: bool, reached: bool) -> Inside:
    """A single node inside; one that no sample reached is there, but takes no time on average."""
    often = 1.0 if reached else 0.0
    return Inside(
        choices={path: choice},
        seconds=often * estimate.seconds,
        spread_s=often * estimate.spread.get("seconds", 0.0),
        locked_s=often * estimate.seconds if locked else 0.0,
        free_s={} if locked else {path: often * estimate.seconds},
        joules=often * estimate.joules,
        dollars=often * estimate.dollars,
        error=often * estimate.error,
        memory_bytes=estimate.memory_bytes,
        threads=choice.variant.threads,
        source=estimate.sources.get("seconds", "prior") if reached else "measured",
    )
