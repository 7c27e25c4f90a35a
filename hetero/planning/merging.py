"""Models that follow each other: one plan with them apart, one with them as one, and the better of the two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hetero import show
from hetero.errors import InfeasibleError
from hetero.graph import Graph
from hetero.planning.alternatives import objective_value
from hetero.plans import Plan
from hetero.rewrite.merge import with_models_merged

__all__ = ["merged_where_it_pays"]

LEAST_GAIN = 0.03
"""What a plan has to gain for it: apart each model can be moved, measured and looked at by itself."""


def merged_where_it_pays(plan: Plan, plan_again: Callable[[Graph], Plan]) -> Plan:
    """The plan, or that of the graph with its models merged where that is better; either says what the other would have
    cost. ``plan_again`` plans a graph by the same request and samples, with the same gate.

    A graph with effects outside of it is left alone: planning again would run them once more.
    """
    if any(node.op.effects == "once" for _, node in plan.graph.walk()):
        return plan
    graph, told = with_models_merged(plan.graph)
    plan = replace(plan, notes=(*plan.notes, *told.reasons))
    if not told.paths:
        return plan
    names = ", ".join(told.paths)
    try:
        other = plan_again(graph)
    except InfeasibleError as error:
        return replace(plan, notes=(*plan.notes, f"{names}: left apart: {error}"))
    apart, merged = (objective_value(one.objective, one.estimate) for one in (plan, other))
    costs = f"{_amount(plan.objective, merged)} as one model, {_amount(plan.objective, apart)} apart"
    # Of what the deadline left unmeasured nothing is known that would be worth a change.
    if merged < apart * (1 - LEAST_GAIN) and other.estimate.sources["seconds"] != "prior":
        return replace(other, notes=(*other.notes, *told.reasons, f"{names}: {costs}"))
    return replace(plan, notes=(*plan.notes, f"{names}: left apart: {costs}"))


def _amount(objective: str, value: float) -> str:
    units = {"energy": f"{value:.3g} J", "cost": f"${value:.3g}"}
    return units.get(objective, show.seconds(value))
