"""A plan made again without the devices that were lost, from the costs that it knows: nothing is run or measured."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace

from hetero.errors import InfeasibleError
from hetero.planning.control import Setting
from hetero.planning.options import leaves
from hetero.planning.settle import settle
from hetero.plans import Choice, Considered, MicroBatch, Plan

__all__ = ["repair", "still_batched"]

SOLVE_S = 0.5


def repair(plan: Plan, lost: Set[str], budget_s: float = SOLVE_S) -> Plan:
    """The best plan of the same request on the devices that are left.

    What the outputs' comparison has ruled out stays ruled out. Limits on time, energy and cost give way where they
    cannot be kept any more, and the plan's notes say so: a late answer is better than none. That on the error does not.

    Raises:
        InfeasibleError: a node has nothing left that can run it.
    """
    if plan.evidence is None or not plan.options:
        raise InfeasibleError(
            f"the plan of {plan.graph.name!r} knows no other options than those that it uses"
        )
    options = {
        path: tuple(_without(option, lost) for option in plan.options[path]) for path, _ in leaves(plan.graph)
    }
    machine = replace(plan.machine, devices=tuple(d for d in plan.machine.devices if d.name not in lost))
    setting = Setting.of(plan, plan.evidence, machine, options)
    try:
        found = settle(plan.graph, machine, plan.request, setting, None, budget_s)
    except InfeasibleError as error:
        kept = plan.request.limits.regardless_of_time()
        if kept == plan.request.limits:
            raise
        found = settle(plan.graph, machine, replace(plan.request, limits=kept), setting, None, budget_s)
        found = replace(found, request=plan.request, notes=(f"without {_names(lost)}: {error}", *found.notes))
    return replace(
        found,
        samples=plan.samples,
        profiles=plan.profiles,
        notes=(f"planned without {_names(lost)}", *found.notes),
        micro_batches=still_batched(plan, found.choices),
    )


def still_batched(plan: Plan, choices: Mapping[str, Choice]) -> Mapping[str, MicroBatch]:
    """The micro-batches of nodes that stay where they are: there they were measured for several requests at once."""
    return {path: batch for path, batch in plan.micro_batches.items() if choices[path] == plan.choices[path]}


def _without(option: Considered, lost: Set[str]) -> Considered:
    if option.choice.device not in lost:
        return option
    return replace(option, reason=f"{option.choice.device} is lost")


def _names(lost: Set[str]) -> str:
    return ", ".join(sorted(lost))
