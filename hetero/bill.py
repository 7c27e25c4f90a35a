"""What a request costs, by processor and part: hardware, energy with its cooling, overhead; and its carbon dioxide."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hetero.cost import energy, price
from hetero.cost.price import Cost
from hetero.machine import Processor
from hetero.plans import Plan
from hetero.schedule import measures
from hetero.schedule.measures import chosen_options

__all__ = ["Bill", "active_joules", "bill_of", "bills", "total"]


@dataclass(frozen=True, slots=True)
class Bill:
    """One processor's part of a request. ``grams`` of carbon dioxide are None where the grid is not known."""

    processor: str
    joules: float
    cost: Cost
    grams: float | None


def bill_of(processor: Processor, seconds: float, joules: float) -> Bill:
    """For holding a processor for so many seconds, in which it takes so many joules."""
    grams = price.carbon_grams([(processor, joules)])
    return Bill(processor.name, joules, price.cost(processor, seconds, joules), grams)


def bills(plan: Plan, seconds: float) -> list[Bill]:
    """As the plan predicts it, for each processor in use.

    ``seconds`` is how long a request holds the machine: its latency where requests come one at a time, the time between
    two results where they never stop.
    """
    found = []
    chosen = chosen_options(plan.problem, [task.option for task in plan.schedule.tasks])
    for name, joules in measures.active_joules(chosen).items():
        processor = plan.machine.processor(name)
        bill = bill_of(processor, seconds, joules + energy.joules(processor, 0.0, seconds))
        if processor.charged_by_use:
            charged = sum(option.dollars for option in chosen if option.processor == name)
            bill = replace(bill, cost=bill.cost + Cost(hardware=charged))
        found.append(bill)
    return found


def active_joules(plan: Plan) -> Mapping[str, float]:
    """By processor in use: what a request's work takes, without idle power."""
    return measures.active_joules(chosen_options(plan.problem, [task.option for task in plan.schedule.tasks]))


def total(found: Sequence[Bill]) -> Bill:
    """All processors together."""
    grams = [each.grams for each in found]
    return Bill(
        "all",
        math.fsum(each.joules for each in found),
        sum((each.cost for each in found), Cost()),
        None if None in grams else math.fsum(each for each in grams if each is not None),
    )
