"""What 1,000 requests cost, part by part, under two loads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hetero.bill import Bill, active_joules, bills, total

if TYPE_CHECKING:
    from hetero.machine import Processor
    from hetero.plans import Plan

__all__ = ["HEADERS", "rows", "sources"]

HEADERS = (
    "1,000 requests",
    "processor",
    "hardware, $",
    "energy, $",
    "overhead, $",
    "in all, $",
    "joules",
    "CO2, g",
)


NOT_PRICED = "–"
"""A part that has no price of its own: a rent holds energy and overhead, and not all hardware has a price."""


def rows(plan: Plan) -> list[tuple[str, ...]]:
    """One request at a time, which pays for the machine's waiting; and one after the other without a pause."""
    loads = [("one at a time", plan.estimate.seconds)]
    if plan.estimate.period_s:
        loads.append(("without a pause", plan.estimate.period_s))
    return [row for name, seconds in loads for row in _rows(plan, name, seconds)]


def _rows(plan: Plan, name: str, seconds: float) -> Iterator[tuple[str, ...]]:
    found = bills(plan, seconds)
    for each in [*found, total(found)] if len(found) > 1 else found:
        yield name, each.processor, *_numbers(each)


def _numbers(each: Bill) -> tuple[str, ...]:
    cost = each.cost
    parts = (cost.hardware, cost.energy, cost.overhead, cost.dollars)
    dollars = (f"{1000 * part:.3g}" if part else NOT_PRICED for part in parts)
    grams = "unknown" if each.grams is None else f"{1000 * each.grams:.3g}"
    return (*dollars, f"{1000 * each.joules:.3g}", grams)


def sources(plan: Plan) -> str:
    """Where power, prices and carbon are from, for each processor in use."""
    used = map(plan.machine.processor, active_joules(plan))
    return f"{NOT_PRICED}: no price of its own, as where a rent holds energy and overhead. " + ". ".join(
        f"{p.name}: power {p.power_source}; price {p.price_source}; carbon {p.carbon_source}{_grid(p)}"
        for p in used
    )


def _grid(processor: Processor) -> str:
    if processor.grams_per_kwh is None:
        return ""
    return f", {processor.grams_per_kwh:g} g/kWh, cooling included at a PUE of {processor.pue:g}"
