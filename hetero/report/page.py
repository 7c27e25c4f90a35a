"""A plan as one HTML page that works offline: figures, charts, placement, everything that was considered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from hetero.errors import MissingExtraError
from hetero.files import write_atomically
from hetero.plans import CONTROL
from hetero.report import gantt
from hetero.report.colours import CONTROL_COLOUR, colours_of
from hetero.report.figures import five_figures
from hetero.report.html_tables import figures_table, nodes_table, options_tables, table
from hetero.report.measured import Measured, measure, throughput
from hetero.report.placement import placement_svg
from hetero.show import seconds

if TYPE_CHECKING:
    from hetero.plans import Plan

__all__ = ["Observed", "observe", "render", "write_report"]

IN_FLIGHT = (1, 2)


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of a plan on this machine; ``load`` has results a second by requests in flight. ``rivals`` are rows
    of a table that compares the plan with others: headers first."""

    measured: Measured | None = None
    load: Mapping[int, float] = field(default_factory=dict)
    rivals: Sequence[Sequence[str]] = ()


def write_report(plan: Plan, path: str | Path, observed: Observed | None = None) -> None:
    """Write the page; an old file stays as it is where that fails.

    Without ``observed``, the plan is run on its sample for a few seconds, where it has one and none of its nodes has
    side effects.

    Raises:
        MissingExtraError: ``pip install 'hetero[report]'`` is needed.
    """
    script = _plotly()
    write_atomically(path, render(plan, observe(plan) if observed is None else observed, script).encode())


def observe(plan: Plan) -> Observed:
    """Run the plan on its sample: one request at a time, then with one and two in flight."""
    harmless = all(node.op.effects != "once" for _, node in plan.graph.walk())
    if not plan.samples or not harmless:
        return Observed()
    call = plan.samples[0]
    return Observed(measure(plan, call), {count: throughput(plan, call, count) for count in IN_FLIGHT})


def render(plan: Plan, observed: Observed, script: str) -> str:
    """The page's text. ``script`` is plotly's."""
    devices = [choice.device for choice in plan.choices.values() if choice.device != CONTROL]
    colours = colours_of(devices)
    nodes = observed.measured.nodes if observed.measured is not None else {}
    charts = _charts(plan, observed, colours)
    return _PAGE.substitute(
        name=escape(plan.graph.name),
        objective=escape(plan.objective),
        verdict=escape(_verdict(plan)),
        machine=escape(_machine(plan)),
        legend=_legend(colours),
        figures=figures_table(five_figures(plan, observed.measured, observed.load)),
        prices=escape(_prices(plan)),
        rivals=_rivals(observed.rivals),
        charts="".join(f'<div id="chart{i}" class="chart"></div>' for i in range(len(charts))),
        placement=placement_svg(plan, colours, nodes),
        nodes=nodes_table(plan, nodes),
        options="".join(options_tables(plan)),
        notes="".join(f"<li>{escape(note)}</li>" for note in plan.notes) or "<li>none</li>",
        script=script,
        # `</` would end the script element, wherever it stands in a name.
        data=json.dumps(charts, allow_nan=False).replace("</", "<\\/"),
    )


def _charts(plan: Plan, observed: Observed, colours: Mapping[str, str]) -> list[dict[str, Any]]:
    """Predicted and, where it ran, measured, on one axis."""
    predicted = gantt.predicted_bars(plan)
    measured = gantt.measured_bars(plan, observed.measured.spans) if observed.measured is not None else []
    until_s = 1.02 * max(bar.end_s for bar in (*predicted, *measured)) or 1e-6
    title = f"Predicted: {seconds(plan.schedule.makespan_s)}"
    charts = [gantt.figure(title, predicted, colours, until_s)]
    if measured:
        title = f"Measured: {seconds(max(bar.end_s for bar in measured))}, a warm run of median length"
        charts.append(gantt.figure(title, measured, colours, until_s))
    return charts


def _verdict(plan: Plan) -> str:
    schedule = plan.schedule
    unit = {"energy": "J", "cost": "$"}.get(plan.objective, "s")
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


def _prices(plan: Plan) -> str:
    used = {plan.machine.device(c.device).processor for c in plan.choices.values() if c.device != CONTROL}
    said = [
        f"{p.name}: power {p.power_source}; price {p.price_source}"
        for p in plan.machine.processors
        if p.name in used
    ]
    return ". ".join(said)


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


_PAGE = Template(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>$name: hetero report</title>
<style>
body { font: 15px/1.5 system-ui, Roboto, "DejaVu Sans", sans-serif; color: #1c2430; background: #fff; max-width: 1120px; margin: 0 auto;
       padding: 24px 28px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; } h1 small { font-weight: 400; color: #5f6b7a; font-size: 17px; }
h2 { font-size: 18px; margin: 36px 0 10px; padding-bottom: 4px; border-bottom: 1px solid #e2e6ec; }
p { margin: 6px 0; } .quiet { color: #5f6b7a; font-size: 13px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th { text-align: left; font-weight: 600; color: #5f6b7a; border-bottom: 1px solid #c9d0da; padding: 4px 12px 4px 0; }
td { border-bottom: 1px solid #edf0f4; padding: 4px 12px 4px 0; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.chosen td { background: #eef6fc; font-weight: 600; }
.wide { overflow-x: auto; } .chart { margin: 4px 0; }
.legend span { margin-right: 16px; font-size: 13px; white-space: nowrap; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; }
.placement { overflow-x: auto; text-align: center; } .placement svg { max-width: 100%; height: auto; }
svg text { font-family: system-ui, Roboto, "DejaVu Sans", sans-serif; fill: #1c2430; } svg .name { font-size: 13px; font-weight: 600; }
svg .detail { font-size: 11px; fill: #5f6b7a; } svg .frame { font-size: 12px; font-weight: 600; fill: #4a5563; }
details { border-bottom: 1px solid #edf0f4; padding: 5px 0; } summary { cursor: pointer; }
summary span { color: #5f6b7a; font-size: 13px; margin-left: 8px; }
</style>
</head>
<body>
<h1>$name <small>planned for $objective</small></h1>
<p>$verdict.</p>
<p class="quiet">$machine. The bound is of the model without contention between nodes that share a processor.</p>
<h2>Five figures</h2>
$figures
<p class="quiet">$prices.</p>
$rivals
<h2>Schedule</h2>
<p class="legend">$legend</p>
$charts
<h2>Placement</h2>
<div class="placement">$placement</div>
<h2>Nodes, for one request</h2>
$nodes
<h2>What was considered</h2>
$options
<h2>Notes</h2>
<ul>$notes</ul>
<script>$script</script>
<script>
const charts = $data;
charts.forEach((chart, i) => Plotly.newPlot("chart" + i, chart.data, chart.layout,
    {responsive: true, displayModeBar: false}));
document.body.dataset.charts = charts.length;
</script>
</body>
</html>
"""
)
