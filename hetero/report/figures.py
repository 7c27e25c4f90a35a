"""The five figures that judge a plan: latency, energy, cost, scalability, precision; each with where it is from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hetero.cost import energy, price
from hetero.plans import CONTROL
from hetero.show import rate, seconds

if TYPE_CHECKING:
    from hetero.machine import Processor
    from hetero.plans import Plan
    from hetero.report.measured import Measured
    from hetero.run.load import Load
    from hetero.run.trace import Span

__all__ = ["Figure", "dollars_seen", "error_text", "five_figures", "joules_seen"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure as text: what was predicted, what was seen here (empty: nothing), and where they are from."""

    name: str
    predicted: str
    seen: str
    source: str


def five_figures(plan: Plan, measured: Measured | None, loads: Sequence[Load]) -> list[Figure]:
    """All five. ``loads`` are closed loops."""
    estimate, sources = plan.estimate, plan.estimate.sources
    period_s = estimate.period_s or estimate.seconds
    spread = estimate.spread.get("seconds", 0.0)
    latency = joules = dollars = ""
    counted = measured.counted if measured is not None else ""
    if measured is not None:
        latency = f"p50 {seconds(measured.p50_s)}, p99 {seconds(measured.p99_s)} ({measured.counted_runs})"
        joules = f"{joules_seen(plan, measured):.3g} J"
        dollars = f"${1000 * dollars_seen(plan, measured):.3g}"
    return [
        Figure(
            "latency of a request",
            f"{seconds(estimate.seconds)} ± {seconds(spread)}",
            latency,
            f"predicted: {sources.get('seconds', 'unknown')} from node profiles; seen: measured",
        ),
        Figure(
            "energy of a request",
            f"{estimate.joules:.3g} J",
            joules,
            "predicted: modelled; seen: " + (counted or "modelled from the measured times"),
        ),
        Figure(
            "cost of 1,000 requests",
            f"${1000 * estimate.dollars:.3g}",
            dollars,
            "one request at a time; predicted: modelled; seen: modelled from the measured time and energy",
        ),
        Figure(
            "scalability, results a second",
            f"at most {rate(1 / period_s)}" if period_s else "",
            "; ".join(map(_answers, loads)),
            "predicted: modelled; seen: measured in closed loops",
        ),
        Figure(
            "precision, error against the reference",
            "",
            error_text(estimate.error),
            "measured on the samples: the largest of a node or of the final outputs",
        ),
    ]


def _answers(load: Load) -> str:
    told = "too few" if load.per_second is None else rate(load.per_second)
    return f"{told} with {load.name} ({load.counted})"


def joules_seen(plan: Plan, measured: Measured) -> float:
    """Energy of a request: counted, else the power model applied to the measured times."""
    if measured.joules is not None:
        return measured.joules
    return sum(_modelled_joules(plan, measured).values())


def dollars_seen(plan: Plan, measured: Measured) -> float:
    """The price of the processors for as long as a request has them, and of the energy that it takes."""
    modelled = _modelled_joules(plan, measured)
    scale = joules_seen(plan, measured) / (sum(modelled.values()) or 1.0)
    return sum(price.dollars(p, measured.p50_s, scale * modelled[p.name]) for p in _used(plan))


def _modelled_joules(plan: Plan, measured: Measured) -> dict[str, float]:
    """By processor: its power model applied to the measured times."""
    busy = _core_seconds(plan, measured.spans)
    return {p.name: energy.joules(p, busy[p.name], measured.p50_s) for p in _used(plan)}


def error_text(error: float) -> str:
    """
    >>> error_text(0.0), error_text(2.5e-6), error_text(float("inf"))
    ('equal', '2.5e-06', 'differs')
    """
    if error == 0:
        return "equal"
    return "differs" if error == float("inf") else f"{error:.1e}"


def _used(plan: Plan) -> list[Processor]:
    devices = {choice.device for choice in plan.choices.values() if choice.device != CONTROL}
    names = {plan.machine.device(device).processor for device in devices}
    return [processor for processor in plan.machine.processors if processor.name in names]


def _core_seconds(plan: Plan, spans: Sequence[Span]) -> dict[str, float]:
    """By processor: the time of every node, times the cores that it was given."""
    busy = {processor.name: 0.0 for processor in _used(plan)}
    for span in spans:
        if span.device:
            busy[span.processor] += (span.end_s - span.start_s) * plan.choices[span.path].variant.threads
    return busy
