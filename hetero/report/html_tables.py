"""A plan's numbers as HTML tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from hetero.explain import chosen_option, times_the_chosen
from hetero.plans import CONTROL
from hetero.report.figures import Figure, error_text
from hetero.show import seconds

if TYPE_CHECKING:
    from hetero.plans import Considered, Plan

__all__ = ["figures_table", "nodes_table", "options_tables", "table"]

NUMBERS = (
    "predicted", "measured", "a request", "± spread", "times the chosen", "error", "joules",
    "p50", "p99", "energy, J", "$ per 1,000", "a second, 1 in flight", "2 in flight", "hardware, $", "energy, $",
    "overhead, $", "in all, $", "CO2, g", "latency", "a second", "energy", "times the plan's", "answers a second",
    "not answered",
)  # fmt: skip
"""Columns whose cells are set flush right."""


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], marked: Sequence[int] = ()) -> str:
    """Cells are text, not HTML; the rows numbered in ``marked`` stand out."""
    kinds = [' class="number"' if header in NUMBERS else "" for header in headers]
    head = "".join(f"<th{kind}>{escape(header)}</th>" for kind, header in zip(kinds, headers, strict=True))
    body = []
    for number, row in enumerate(rows):
        cells = "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))
        body.append(f'<tr class="chosen">{cells}</tr>' if number in marked else f"<tr>{cells}</tr>")
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    )


def figures_table(figures: Sequence[Figure]) -> str:
    """The five figures."""
    rows = [(one.name, one.predicted or "–", one.seen or "–", one.source) for one in figures]
    return table(("figure", "predicted by the plan", "seen here", "where from"), rows)


def nodes_table(plan: Plan, measured: Mapping[str, float]) -> str:
    """Every node: where it runs, and its time for a request as predicted and as measured."""
    rows = []
    for path, node in plan.graph.walk():
        choice, option = plan.choices[path], chosen_option(plan, path)
        indent = "\u2003" * (path.count("/") - node.name.count("/"))
        predicted = option.estimate.seconds if option and option.estimate else None
        where = "program" if choice.device == CONTROL else choice.device
        took = seconds(measured[path]) if path in measured else "–"
        rows.append(
            (
                indent + node.name,
                where,
                str(choice.variant),
                "–" if predicted is None else seconds(predicted),
                took,
            )
        )
    return table(("node", "device", "variant", "predicted", "measured"), rows)


def options_tables(plan: Plan) -> Iterator[str]:
    """For each node that had a choice, all that was considered, folded away until asked for."""
    for path, options in plan.options.items():
        if len(options) < 2:
            continue
        chosen = chosen_option(plan, path)
        ranked = sorted(options, key=_rank)
        marked = [number for number, one in enumerate(ranked) if one is chosen]
        rows = [_option_row(one, times_the_chosen(plan, path, one)) for one in ranked]
        headers = (
            "device",
            "variant",
            "a request",
            "± spread",
            "times the chosen",
            "error",
            "joules",
            "known how, or why not",
        )
        winner = f"{chosen.choice}" if chosen is not None else "not reached"
        yield (
            f"<details><summary><b>{escape(path)}</b> <span>{len(options)} options; {escape(winner)}</span></summary>"
            f"{table(headers, rows, marked)}</details>"
        )


def _option_row(one: Considered, times: float | None) -> tuple[str, ...]:
    device = "program" if one.choice.device == CONTROL else one.choice.device
    estimate = one.estimate
    if estimate is None:
        return (device, str(one.choice.variant), "–", "–", "–", "–", "–", one.reason)
    ratio = "–" if times is None else f"{times:.2f}"
    how = one.reason or estimate.sources.get("seconds", "")
    spread, error = seconds(estimate.spread.get("seconds", 0.0)), error_text(estimate.error)
    numbers = (seconds(estimate.seconds), spread, ratio, error, f"{estimate.joules:.3g}")
    return (device, str(one.choice.variant), *numbers, how)


def _rank(one: Considered) -> tuple[bool, float]:
    return not one.usable, one.estimate.seconds if one.estimate is not None else float("inf")
