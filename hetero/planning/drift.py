"""What runs say of a plan's predictions: which nodes have drifted away, and whether another plan would now be better.

The median over a node's latest calls is what is compared: a few late calls, however late, do not move it. A prediction
is for an otherwise idle machine, so that a machine that is busy makes everything slower alike, which no other plan
would mend. Whether another plan would be better is therefore told by what a node has drifted relative to the middle
one of all nodes on its processor.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from hetero import show
from hetero.cost.measurement import specs_text
from hetero.cost.store import ProfileStore
from hetero.errors import InfeasibleError
from hetero.planning.alternatives import objective_value
from hetero.planning.control import Setting
from hetero.planning.evidence import evidence_key
from hetero.planning.gate import Gate
from hetero.planning.measure import Samples
from hetero.planning.options import leaves
from hetero.planning.repair import still_batched
from hetero.planning.settle import settle
from hetero.plans import Considered, Plan

__all__ = [
    "SMALL_S",
    "Drift",
    "Observed",
    "Proposal",
    "corrected",
    "drifts",
    "outlook",
    "proposal",
    "reconsider",
    "slowness",
    "telling",
    "unplanned_shapes",
]

FEWEST_CALLS = 20
DRIFTED = 1.3
"""Off by this factor, either way, from the prediction is drift: three times the error that predictions usually have."""
SMALL_S = 5e-5
"""Nor is a difference under this, which a timer interrupt makes."""
WORTH = 0.05
"""A proposal has to gain this share of the latency, or period, that the plan has now."""
SOLVE_S = 2.0
ASIDE_S = 0.5
"""For solving beside requests that run."""


class Observed(Protocol):
    """What is known of a node's calls: ``hetero.run.timing.NodeStats`` is one."""

    @property
    def calls(self) -> int: ...
    @property
    def p50_s(self) -> float: ...
    @property
    def spread_s(self) -> float: ...
    @property
    def predicted_s(self) -> float | None: ...
    @property
    def shapes(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Drift:
    """A node whose calls take another time than was predicted: medians in seconds, over ``calls`` calls."""

    path: str
    predicted_s: float
    measured_s: float
    calls: int

    @property
    def factor(self) -> float:
        return self.measured_s / self.predicted_s

    @property
    def message(self) -> str:
        """What it takes, without its name."""
        more = f"{self.factor:.2f} times" if self.factor > 1 else f"only {self.factor:.2f} of"
        return f"takes {show.seconds(self.measured_s)}, {more} the {show.seconds(self.predicted_s)} predicted"

    def __str__(self) -> str:
        return f"{self.path} {self.message}"


@dataclass(frozen=True, slots=True)
class Proposal:
    """Another plan for the same request, and what it would gain by what is known now.

    Nothing changes by itself: ``plan`` is not open yet, and runs when it is called; the old one goes on until it is
    closed.
    """

    plan: Plan
    seconds: float
    """What the present plan takes by what its runs have shown: latency, or seconds between results for throughput."""
    gain: float
    """The share of it that the proposed plan would save."""
    drifts: tuple[Drift, ...]

    def __str__(self) -> str:
        moved = ", ".join(str(drift) for drift in self.drifts)
        return f"{moved}: planned again, {self.gain:.0%} less than the {self.seconds:.3g} s that it takes now"


def drifts(stats: Mapping[str, Observed]) -> tuple[Drift, ...]:
    """The nodes whose running median is far from the prediction, the farthest first."""
    found = [
        Drift(path, predicted_s, node.p50_s, node.calls)
        for path, node, predicted_s in telling(stats)
        if abs(node.p50_s - predicted_s) > SMALL_S
        if not 1 / DRIFTED < node.p50_s / predicted_s < DRIFTED
    ]
    return tuple(sorted(found, key=lambda d: -max(d.factor, 1 / d.factor)))


def telling(stats: Mapping[str, Observed]) -> Iterator[tuple[str, Observed, float]]:
    """The nodes that ran often enough to tell, with what was predicted of them."""
    for path, node in stats.items():
        if node.predicted_s and node.calls >= FEWEST_CALLS and node.p50_s > 0:
            yield path, node, node.predicted_s


def corrected(plan: Plan, stats: Mapping[str, Observed]) -> dict[str, tuple[Considered, ...]]:
    """The plan's options with what its runs have shown: the chosen ones as they were measured, all others as much
    slower as the middle node of their processor has become."""
    usual = slowness(plan, stats)
    here = {device.name for device in plan.machine.devices}
    measured = {path: node.p50_s / predicted_s for path, node, predicted_s in telling(stats)}

    def now(path: str, option: Considered) -> Considered:
        if option.estimate is None or option.choice.device not in here:  # the device was lost meanwhile
            return option
        own = usual[plan.machine.processor_of(option.choice.device).name]
        factor = measured.get(path, own) if option.choice == plan.choices[path] else own
        return _slower(option, factor)

    return {path: tuple(now(path, option) for option in plan.options[path]) for path, _ in leaves(plan.graph)}


def slowness(plan: Plan, stats: Mapping[str, Observed]) -> dict[str, float]:
    """By processor how many times what was predicted its nodes take, in the middle; 1 where none ran often enough."""
    measured = {path: node.p50_s / predicted_s for path, node, predicted_s in telling(stats)}
    processors: dict[str, list[float]] = {one.name: [] for one in plan.machine.processors}
    for path, _ in leaves(plan.graph):
        if path in measured:
            processors[plan.machine.processor_of(plan.choices[path].device).name].append(measured[path])
    # Of two nodes the lower: one that drifted alone has not made the machine slow.
    return {name: statistics.median_low(factors or [1.0]) for name, factors in processors.items()}


def _slower(option: Considered, factor: float) -> Considered:
    estimate = option.estimate
    assert estimate is not None
    measured = replace(estimate.scaled(factor), sources={**estimate.sources, "seconds": "measured"})
    return replace(option, estimate=measured)


def unplanned_shapes(plan: Plan, stats: Mapping[str, Observed], path: str) -> tuple[str, ...]:
    """The shapes that a node was seen to be called with and that no sample had: then it is not the estimate that is
    wrong, and planning with such samples is what helps."""
    if plan.evidence is None:
        return ()
    planned = {specs_text(call.inputs) for call in plan.evidence.calls_as(path, plan.choices[path].variant)}
    return tuple(dict.fromkeys(text for text in stats[path].shapes if text not in planned))


def outlook(plan: Plan, stats: Mapping[str, Observed]) -> str:
    """What planning again would gain by what the runs have shown, in words; nothing is run for it."""
    found = proposal(plan, stats, None, ASIDE_S)
    if found is None:
        return f"no other plan would gain {WORTH:.0%}"
    return (
        f"planned again it would take {found.gain:.0%} less than the {found.seconds:.3g} s that it takes now: "
        "plan.reconsider() gives that plan, its outputs compared"
    )


def proposal(
    plan: Plan, stats: Mapping[str, Observed], gate: Gate | None, budget_s: float = SOLVE_S
) -> Proposal | None:
    """A better plan by what the runs have shown; None where nothing has drifted, or no plan gains enough.

    ``gate`` compares its outputs with the reference's; without it (no samples at hand) options whose own error is
    within the limit are trusted.
    """
    found = drifts(stats)
    if not found or plan.evidence is None or not plan.options:
        return None
    setting = Setting.of(plan, plan.evidence, plan.machine, corrected(plan, stats))
    try:
        better = settle(plan.graph, plan.machine, plan.request, setting, gate, budget_s)
    except InfeasibleError:  # no plan keeps the limits any more
        return None
    # The present one may break them by now, which is no reason not to propose another.
    kept = replace(plan.request, limits=plan.request.limits.regardless_of_time())
    taken = replace(setting, options=_only(setting.options, plan))
    present = settle(plan.graph, plan.machine, kept, taken, None, budget_s)
    now_s = objective_value(plan.objective, present.estimate)
    then_s = objective_value(plan.objective, better.estimate)
    gain = 1 - then_s / now_s if now_s > 0 else 0.0
    if gain < WORTH or better.choices == plan.choices:
        return None
    better = replace(
        better,
        samples=plan.samples,
        profiles=plan.profiles,
        cluster=plan.cluster,
        notes=(f"planned again since {'; '.join(map(str, found))}", *better.notes),
        micro_batches=still_batched(plan, better.choices),
    )
    return Proposal(better, now_s, gain, found)


def reconsider(plan: Plan, stats: Mapping[str, Observed]) -> Proposal | None:
    """The proposal for a plan that runs; its outputs are compared on the samples, where the plan has them still."""
    if not plan.samples or plan.cluster is not None:
        return proposal(plan, stats, None)
    samples = Samples(plan.graph, plan.samples, None)
    with ProfileStore(plan.profiles) as store:
        key = evidence_key(plan.graph, plan.samples)
        gate = Gate(plan.graph, plan.machine, samples, key, store, metric=plan.request.metric)
        return proposal(plan, stats, gate)


def _only(options: Mapping[str, Sequence[Considered]], plan: Plan) -> dict[str, tuple[Considered, ...]]:
    """The options that the plan has taken."""
    return {
        path: tuple(o for o in found if o.choice == plan.choices[path]) for path, found in options.items()
    }
