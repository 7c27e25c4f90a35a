"""The five figures that judge a plan: latency, energy, cost, scalability, precision; each with where it is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hetero.show import seconds

if TYPE_CHECKING:
    from hetero.plans import Plan
    from hetero.report.measured import Measured

__all__ = ["Figure", "error_text", "five_figures"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure as text: what was predicted, what was measured (empty: it was not), and the predicted one's source."""

    name: str
    predicted: str
    measured: str
    source: str


def five_figures(plan: Plan, measured: Measured | None, load: Mapping[int, float]) -> list[Figure]:
    """All five. ``load`` has results a second by the number of requests in flight."""
    estimate, sources = plan.estimate, plan.estimate.sources
    period_s = estimate.period_s or estimate.seconds
    carried = ", ".join(f"{rate:.3g} with {count} in flight" for count, rate in sorted(load.items()))
    spread = estimate.spread.get("seconds", 0.0)
    return [
        Figure(
            "latency of a request",
            f"{seconds(estimate.seconds)} ± {seconds(spread)}",
            f"p50 {seconds(measured.p50_s)}, p99 {seconds(measured.p99_s)}" if measured else "",
            sources.get("seconds", ""),
        ),
        Figure("energy of a request", f"{estimate.joules:.3g} J", "", sources.get("joules", "")),
        Figure("cost of 1,000 requests", f"${1000 * estimate.dollars:.3g}", "", sources.get("dollars", "")),
        Figure(
            "scalability, results a second",
            f"at most {1 / period_s:.3g}" if period_s else "",
            carried,
            sources.get("period_s", "modelled"),
        ),
        Figure(
            "precision, error against the reference", "", error_text(estimate.error), sources.get("error", "")
        ),
    ]


def error_text(error: float) -> str:
    """
    >>> error_text(0.0), error_text(2.5e-6), error_text(float("inf"))
    ('equal', '2.5e-06', 'differs')
    """
    if error == 0:
        return "equal"
    return "differs" if error == float("inf") else f"{error:.1e}"
