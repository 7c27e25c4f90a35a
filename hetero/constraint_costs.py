"""What each constraint costs, as rows of one table: the same in explain(), on the report's page and in the terminal."""

from __future__ import annotations

import math
from textwrap import shorten

from hetero import show
from hetero.cost.estimate import Estimate
from hetero.planning.alternatives import Alternative, alternatives, objective_value
from hetero.plans import Plan

__all__ = ["HEADERS", "rows_of"]

_MOVED = 3
"""Nodes that are named in a row."""

_LETTERS = 120
"""Of a reason."""

HEADERS = (
    "without",
    "latency",
    "a second",
    "energy",
    "$ per 1,000",
    "error",
    "times the plan's",
    "what changes",
)


def rows_of(plan: Plan) -> list[tuple[str, ...]]:
    """What each constraint costs: this plan first, then the best plan that is known without it."""
    found = alternatives(plan)
    if not found:
        return []
    e = plan.estimate
    own = ("nothing: this plan", *_figures(e), "1.00", "")
    return [own, *(_row(plan, one) for one in found)]


def _row(plan: Plan, one: Alternative) -> tuple[str, ...]:
    if one.estimate is None:
        unknown = f"not known: {_unknown(one)}" if one.unmeasured else ""
        why_not = unknown or shorten(f"no plan: {one.why_not}", _LETTERS, placeholder=" ...")
        return (one.without, *["-"] * (len(HEADERS) - 2), why_not)
    before = objective_value(plan.objective, plan.estimate)
    after = objective_value(plan.objective, one.estimate)
    ratio = f"{after / before:.2f}" if before > 0 else "-"
    moved = ", ".join(one.moved[:_MOVED]) + (" and more" if len(one.moved) > _MOVED else "")
    if one.unmeasured:  # what is known is one plan; the best may cost less
        return (one.without, *_figures(one.estimate), f"<= {ratio}", f"{moved or 'nothing'}; {_unknown(one)}")
    gap = f"; at most {one.gap:.1%} above the optimum" if one.gap > 1e-9 else ""
    return (one.without, *_figures(one.estimate), ratio, (moved or "nothing") + gap)


def _unknown(one: Alternative) -> str:
    """What was not measured, and how to have it measured."""
    word = one.without.split(", ")[0]
    return f"not all of {', '.join(one.unmeasured)} was measured; plan with deny={word!r}"


def _figures(e: Estimate) -> tuple[str, str, str, str, str]:
    error = "unknown" if math.isinf(e.error) else f"{e.error:.1e}"
    most = show.rate(1 / e.period_s) if e.period_s else "-"
    return show.seconds(e.seconds), most, f"{e.joules:.3g} J", f"{1000 * e.dollars:.3g}", error
