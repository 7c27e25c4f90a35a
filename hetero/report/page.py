"""A plan as one HTML page that works offline: figures, charts, placement, everything that was considered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hetero import constraint_costs
from hetero.arguments import Args
from hetero.errors import ArgumentError, MissingExtraError
from hetero.explain import bound_of, path_text, unit_of
from hetero.files import write_atomically
from hetero.planning.alone import alone
from hetero.plans import CONTROL
from hetero.report import bill_table, gantt, load_chart
from hetero.report.colours import CONTROL_COLOUR, colours_of
from hetero.report.figures import five_figures
from hetero.report.html_tables import figures_table, nodes_table, options_tables, table
from hetero.report.measured import Measured, measure, no_word_of_drift
from hetero.report.placement import placement_svg
from hetero.report.template import PAGE
from hetero.run.load import LoadCurve, load_curve
from hetero.show import seconds

if TYPE_CHECKING:
    from hetero.plans import Plan

__all__ = ["Observed", "observe", "render", "write_report"]

LOAD_S = 1.0
"""Of each load, where nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of a plan on this machine: one request at a time, and under load. ``rivals`` are rows of a table
    that compares the plan with others: headers first."""

    measured: Measured | None = None
    curve: LoadCurve | None = None
    rivals: Sequence[Sequence[str]] = ()


def write_report(plan: Plan, path: str | Path, observed: Observed | None = None) -> None:
    """Write the page; an old file stays as it is where that fails.

    Without ``observed``, the plan is run on its sample for a few seconds, where it has one and none of its nodes has
    side effects or is charged for by the run.

    Raises:
        ArgumentError: there is no folder to write it to; said before the plan is run.
        MissingExtraError: ``pip install 'hetero[report]'`` is needed.
    """
    if not Path(path).parent.is_dir():
        raise ArgumentError(f"cannot write {path}: there is no folder {Path(path).parent}")
    script = _plotly()
    write_atomically(path, render(plan, observe(plan) if observed is None else observed, script).encode())


def observe(
    plan: Plan,
    users: Sequence[int] | None = None,
    rates: Sequence[float] | None = None,
    load_s: float = LOAD_S,
) -> Observed:
    """Run the plan on its sample: one request at a time, then under loads of ``load_s`` seconds each.

    Args:
        users, rates: of closed and open loops; see ``hetero.run.load.load_curve``.
    """
    harmless = all(node.op.effects != "once" for _, node in plan.graph.walk())
    charged = any(choice.variant.charged_dollars is not None for choice in plan.choices.values())
    if not plan.samples or not harmless or charged:
        return Observed()
    call = plan.samples[0]
    with no_word_of_drift():
        measured = measure(plan, call)
        curve = load_curve(plan, [Args(tuple(call), {})], users=users, rates=rates, seconds=load_s)
    return Observed(measured, curve)


def render(plan: Plan, observed: Observed, script: str) -> str:
    """The page's text. ``script`` is plotly's."""
    devices = [choice.device for choice in plan.choices.values() if choice.device != CONTROL]
    colours = colours_of(devices)
    nodes = observed.measured.nodes if observed.measured is not None else {}
    charts = _charts(plan, observed, colours)
    load_charts = load_chart.charts(observed.curve) if observed.curve is not None else []
    return PAGE.substitute(
        name=escape(plan.graph.name),
        objective=escape(plan.objective),
        verdict=escape(_verdict(plan)),
        machine=escape(_machine(plan)),
        bound_of=escape(bound_of(plan)),
        legend=_legend(colours),
        figures=figures_table(
            five_figures(plan, observed.measured, observed.curve.closed if observed.curve else ())
        ),
        prices=escape(bill_table.sources(plan)),
        bill=table(bill_table.HEADERS, bill_table.rows(plan)),
        constraints=_constraints(plan),
        path=escape(path_text(plan)),
        load=_load(observed.curve, range(len(charts), len(charts) + len(load_charts))),
        rivals=_rivals(observed.rivals),
        charts="".join(f'<div id="chart{i}" class="chart"></div>' for i in range(len(charts))),
        placement=placement_svg(plan, colours, nodes),
        nodes=nodes_table(plan, nodes),
        options="".join(options_tables(plan)),
        notes="".join(f"<li>{escape(note)}</li>" for note in plan.notes) or "<li>none</li>",
        script=script,
        # `</` would end the script element, wherever it stands in a name.
        data=json.dumps([*charts, *load_charts], allow_nan=False).replace("</", "<\\/"),
    )


def _charts(plan: Plan, observed: Observed, colours: Mapping[str, str]) -> list[dict[str, Any]]:
    """Predicted and, where it ran, measured, on one axis."""
    predicted = gantt.predicted_bars(plan)
    measured = gantt.measured_bars(plan, observed.measured.spans) if observed.measured is not None else []
    until_s = 1.02 * max(bar.end_s for bar in (*predicted, *measured)) or 1e-6
    title = f"Predicted: {seconds(alone(plan)[1].makespan_s)}"
    charts = [gantt.figure(title, predicted, colours, until_s)]
    if measured:
        title = f"Measured: {seconds(max(bar.end_s for bar in measured))}, a warm run of median length"
        charts.append(gantt.figure(title, measured, colours, until_s))
    return charts


def _verdict(plan: Plan) -> str:
    schedule = plan.schedule
    unit = unit_of(plan)
    value = f"{schedule.objective_value:.4g} {unit}"
    if schedule.proven_optimal:
        return f"{value}, proven optimal among the options measured (found by {schedule.method})"
    return (
        f"{value}; no schedule of the options measured is below {schedule.lower_bound:.4g} {unit}, so this one is at "
        f"most {schedule.gap:.1%} above the optimum (found by {schedule.method})"
    )


def _machine(plan: Plan) -> str:
    return "; ".join(
        f"{p.model or p.name}, {p.cores} core{'' if p.cores == 1 else 's'}" for p in plan.machine.processors
    )


def _constraints(plan: Plan) -> str:
    """The plan beside the best ones without each supplier that it uses and each limit that binds."""
    found = constraint_costs.rows_of(plan)
    if not found:
        return '<p class="quiet">Nothing that could be denied is used, and no limit binds.</p>'
    return table(constraint_costs.HEADERS, found, marked=[0])


def _load(curve: LoadCurve | None, places: Iterable[int]) -> str:
    """Charts, each where it stands among all of the page, and the numbers as a table."""
    if curve is None:
        return '<p class="quiet">Not run under load.</p>'
    charts = "".join(f'<div id="chart{i}" class="chart"></div>' for i in places)
    return charts + table(load_chart.HEADERS, load_chart.rows(curve))


def _legend(colours: Mapping[str, str]) -> str:
    entries = {**colours, "map or branch": CONTROL_COLOUR}
    return "".join(
        f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in entries.items()
    )


def _rivals(rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    return f"<h2>Beside single engines</h2>{table(rows[0], rows[1:], marked=[0])}"


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise MissingExtraError("report", "plotly", "report") from error
    return str(get_plotlyjs())
