"""What each constraint costs: the best plan without a supplier, device or limit, beside the plan that was made.

Everything is computed from the costs that the plan knows; nothing is run or measured. So a device is denied only where
the plan uses it, and one that ``deny=`` has kept out was never measured: what it would have brought, a plan that allows
it says. Nor was an option that could not win beside the denied ones: such an alternative tells what it does not know.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from hetero.cost.estimate import Estimate
from hetero.cost.worth import lost_unmeasured
from hetero.device import DeviceInfo
from hetero.errors import InfeasibleError
from hetero.limits import Limits
from hetero.planning.control import Setting
from hetero.planning.options import leaves
from hetero.planning.selection import PYTHON, words
from hetero.planning.settle import settle
from hetero.plans import CONTROL, Considered, Plan

__all__ = ["Alternative", "alternatives", "objective_value"]

Kind: TypeAlias = Literal["device", "limit"]

TOTAL_S = 3.0
"""For solving all of them; small problems take milliseconds each."""

_SAME = 1e-6


@dataclass(frozen=True, slots=True)
class Alternative:
    """A plan under other constraints.

    ``without`` says which constraint was changed: words of devices that are denied, or a limit that is lifted.
    ``estimate`` is None where there is no plan, and ``why_not`` says why. ``gap`` is how much better, relative to the
    objective, such a plan might still be; ``moved`` are the nodes that run elsewhere or otherwise. ``unmeasured`` are
    devices with options, of nodes that lost theirs, that were never run since a denied device was quicker: with them
    there may be a better plan, or one at all.
    """

    without: str
    kind: Kind
    estimate: Estimate | None
    gap: float = 0.0
    why_not: str = ""
    moved: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()


def alternatives(plan: Plan, budget_s: float = TOTAL_S) -> tuple[Alternative, ...]:
    """Denied devices first, by what they cost; then the limits that bind.

    Empty where the plan knows no other options than those that it uses (it was made by hand).
    """
    if plan.evidence is None or not plan.options:
        return ()
    asked = [*_denials(plan), *_lifted(plan)]
    share = budget_s / max(1, len(asked))
    found = [_solved(plan, each, share) for each in asked]
    return tuple(
        sorted(filter(lambda each: _matters(plan, each), found), key=lambda each: _order(plan, each))
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """One change of the constraints."""

    without: str
    kind: Kind
    lost: frozenset[str] = frozenset()
    limits: Limits | None = None


def _denials(plan: Plan) -> Iterator[_Asked]:
    """One for each set of devices that a word denies and the plan uses; words of the same set are one."""
    used = {choice.device for choice in plan.choices.values()} - {CONTROL}
    by_set: dict[frozenset[str], list[str]] = {}
    for word in sorted({word for device in plan.machine.devices for word in words(device)}):
        lost = frozenset(device.name for device in plan.machine.devices if _denied(device, word))
        if lost & used:
            by_set.setdefault(lost, []).append(word)
    for lost, found in by_set.items():
        yield _Asked(", ".join(found), "device", lost)


def _denied(device: DeviceInfo, word: str) -> bool:
    """As ``deny=`` means it: Python functions stay unless they are denied by their own name, which nobody can do
    without."""
    return device.engine != PYTHON and word in words(device)


def _lifted(plan: Plan) -> Iterator[_Asked]:
    """One for each limit; the error limit holds even where none was given."""
    limits = plan.request.limits
    for name in ("latency_s", "joules", "dollars", "memory_bytes"):
        if (value := getattr(limits, name)) is not None:
            yield _Asked(f"the limit {name}={value:.4g}", "limit", limits=replace(limits, **{name: None}))
    if math.isfinite(limits.effective_error):
        default = " (the default)" if limits.error is None else ""
        yield _Asked(
            f"the limit error={limits.effective_error:.0e}{default}",
            "limit",
            limits=replace(limits, error=math.inf),
        )


def _solved(plan: Plan, asked: _Asked, budget_s: float) -> Alternative:
    request = plan.request if asked.limits is None else replace(plan.request, limits=asked.limits)
    devices = tuple(device for device in plan.machine.devices if device.name not in asked.lost)
    machine = replace(plan.machine, devices=devices)
    any_error = asked.limits is not None and math.isinf(asked.limits.effective_error)
    assert plan.evidence is not None, "plans without evidence have no alternatives"
    setting = Setting.of(plan, plan.evidence, machine, _options(plan, asked.lost, any_error=any_error))
    unmeasured = _unmeasured(plan, asked.lost)
    try:
        found = settle(plan.graph, machine, request, setting, None, budget_s)
    except InfeasibleError as error:
        return Alternative(asked.without, asked.kind, None, why_not=str(error), unmeasured=unmeasured)
    moved = tuple(path for path, choice in found.choices.items() if choice != plan.choices[path])
    gap = found.schedule.gap
    return Alternative(asked.without, asked.kind, found.estimate, gap, moved=moved, unmeasured=unmeasured)


def _unmeasured(plan: Plan, lost: Set[str]) -> tuple[str, ...]:
    """The devices left that nodes on lost devices could run on in ways that were not worth a run beside those."""
    found = {
        option.choice.device
        for path, choice in plan.choices.items()
        if choice.device in lost
        for option in plan.options[path]
        if option.choice.device not in lost and lost_unmeasured(option.reason)
    }
    return tuple(sorted(found))


def _options(plan: Plan, lost: Set[str], *, any_error: bool) -> Mapping[str, tuple[Considered, ...]]:
    """What the plan knows of every leaf, without the lost devices; with any error, what only its error ruled out."""

    def changed(option: Considered) -> Considered:
        if option.choice.device in lost:
            return replace(option, reason=f"{option.choice.device} is denied")
        return replace(option, reason="") if any_error and ruled_out_by_error(option) else option

    return {path: tuple(map(changed, plan.options[path])) for path, _ in leaves(plan.graph)}


def ruled_out_by_error(option: Considered) -> bool:
    """Whether only its error, which was measured and is finite, keeps an option from being chosen: its own was over
    the limit, or the final outputs' with it."""
    estimate = option.estimate
    if not option.reason or estimate is None:
        return False
    return estimate.sources.get("error") == "measured" and math.isfinite(estimate.error)


def _matters(plan: Plan, found: Alternative) -> bool:
    """A denied device always; a limit where the plan would be better without it."""
    if found.kind == "device" or found.estimate is None:
        return found.kind == "device"
    own = objective_value(plan.objective, plan.estimate)
    return objective_value(plan.objective, found.estimate) < own * (1 - _SAME)


def _order(plan: Plan, found: Alternative) -> tuple[bool, float]:
    worst = math.inf if found.estimate is None else objective_value(plan.objective, found.estimate)
    return found.kind == "limit", -worst


def objective_value(objective: str, estimate: Estimate) -> float:
    """What a plan for an objective is compared by."""
    values = {"energy": estimate.joules, "cost": estimate.dollars, "throughput": estimate.period_s or 0.0}
    return values.get(objective, estimate.seconds)
