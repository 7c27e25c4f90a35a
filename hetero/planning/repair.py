"""A plan made again without the devices that were lost, from the costs that it knows: nothing is run or measured."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from hetero.errors import InfeasibleError
from hetero.limits import Limits
from hetero.planning.control import Setting
from hetero.planning.settle import settle
from hetero.plans import Considered, Plan, Request

__all__ = ["repair"]

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
        path: tuple(_without(option, lost) for option in plan.options[path])
        for path, node in plan.graph.walk()
        if not node.op.subgraphs
    }
    machine = replace(plan.machine, devices=tuple(d for d in plan.machine.devices if d.name not in lost))
    setting = Setting.of(plan, plan.evidence, machine, options)
    try:
        found = settle(plan.graph, machine, plan.request, setting, None, budget_s)
    except InfeasibleError as error:
        kept = Limits(error=plan.request.limits.error, memory_bytes=plan.request.limits.memory_bytes)
        if kept == plan.request.limits:
            raise
        request = Request(plan.objective, kept, plan.request.selection)
        found = settle(plan.graph, machine, request, setting, None, budget_s)
        found = replace(found, request=plan.request, notes=(f"without {_names(lost)}: {error}", *found.notes))
    # A node that stays where it is was measured there for several requests at once.
    micro_batches = {
        path: batch for path, batch in plan.micro_batches.items() if found.choices[path] == plan.choices[path]
    }
    return replace(
        found,
        samples=plan.samples,
        notes=(f"planned without {_names(lost)}", *found.notes),
        micro_batches=micro_batches,
    )


def _without(option: Considered, lost: Set[str]) -> Considered:
    if option.choice.device not in lost:
        return option
    return replace(option, reason=f"{option.choice.device} is lost")


def _names(lost: Set[str]) -> str:
    return ", ".join(sorted(lost))
