"""Predicted and measured schedule as two charts on one time axis, in plotly's own JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hetero.planning.alone import alone
from hetero.report.colours import CONTROL_COLOUR
from hetero.show import seconds

if TYPE_CHECKING:
    from hetero.plans import Plan
    from hetero.run.trace import Span

__all__ = ["Bar", "figure", "measured_bars", "pack", "predicted_bars"]

ROW_PIXELS = 30
LABEL_SHARE = 0.045
"""A bar narrower than this share of the axis has no room for its name; hovering shows it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A node's run in a chart. ``row`` is what it is drawn on; ``device`` is empty for maps and branches."""

    name: str
    device: str
    row: str
    start_s: float
    end_s: float
    detail: str = ""


def predicted_bars(plan: Plan) -> list[Bar]:
    """The schedule of one request: a row for each core (or however many tasks a processor runs side by side)."""
    problem, schedule = alone(plan)
    options = {task.name: task.options for task in problem.tasks}
    bars = []
    for task in schedule.tasks:
        choice = plan.choices[task.name]
        processor = options[task.name][task.option].processor
        device = "" if plan.graph[task.name].op.subgraphs else choice.device
        bars.append(Bar(task.name, device, processor, task.start_s, task.end_s, str(choice)))
    return pack(bars)


def measured_bars(plan: Plan, spans: Sequence[Span]) -> list[Bar]:
    """A traced request: the nodes of the graph itself above, what ran inside maps and branches below, by thread."""
    if not spans:
        return []
    origin = min(span.start_s for span in spans)
    outer: list[Bar] = []
    inner: list[Bar] = []
    threads: dict[int, str] = {}
    for span in sorted(spans, key=lambda one: one.start_s):
        nested = "/" in span.path
        if nested and not span.device:
            continue  # a map inside a branch: its nodes are shown, and it would lie under them
        thread = threads.setdefault(span.thread, f"thread {len(threads) + 1}")
        row = f"inside, {thread}" if nested else "nodes"
        start_s, end_s = span.start_s - origin, span.end_s - origin
        detail = str(plan.choices.get(span.path, ""))
        (inner if nested else outer).append(Bar(span.path, span.device, row, start_s, end_s, detail))
    return [*pack(outer), *pack(inner)]


def pack(bars: Sequence[Bar]) -> list[Bar]:
    """The bars on as few rows as keep them from overlapping: ``cpu``, ``cpu 2``, ... in order of start.

    >>> [bar.row for bar in pack([Bar("a", "", "cpu", 0, 2), Bar("b", "", "cpu", 1, 3), Bar("c", "", "cpu", 2, 4)])]
    ['cpu', 'cpu 2', 'cpu']
    """
    ends: dict[str, list[float]] = {}
    placed = []
    for bar in sorted(bars, key=lambda one: (one.start_s, one.end_s)):
        mine = ends.setdefault(bar.row, [])
        slack = 1e-9 * max(1.0, bar.end_s)
        index = next((i for i, end in enumerate(mine) if end <= bar.start_s + slack), len(mine))
        if index == len(mine):
            mine.append(bar.end_s)
        else:
            mine[index] = bar.end_s
        row = bar.row if index == 0 else f"{bar.row} {index + 1}"
        placed.append(Bar(bar.name, bar.device, row, bar.start_s, bar.end_s, bar.detail))
    return placed


def figure(title: str, bars: Sequence[Bar], colours: Mapping[str, str], until_s: float) -> dict[str, Any]:
    """``data`` and ``layout`` for ``Plotly.newPlot``; the axis runs to ``until_s``, in milliseconds."""
    rows = list(dict.fromkeys(bar.row for bar in bars))
    traces = []
    for device in dict.fromkeys(bar.device for bar in bars):
        mine = [bar for bar in bars if bar.device == device]
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": device or "map or branch",
                "base": [1e3 * bar.start_s for bar in mine],
                "x": [1e3 * (bar.end_s - bar.start_s) for bar in mine],
                "y": [bar.row for bar in mine],
                "text": [_label(bar, until_s) for bar in mine],
                "hovertext": [
                    f"{bar.name}<br>{bar.detail}<br>{seconds(bar.end_s - bar.start_s)} from {seconds(bar.start_s)}"
                    for bar in mine
                ],
                "hoverinfo": "text",
                "textposition": "inside",
                "insidetextanchor": "middle",
                "constraintext": "none",
                "marker": {
                    "color": colours.get(device, CONTROL_COLOUR),
                    "line": {"color": "#ffffff", "width": 1},
                },
                "textfont": {"size": 11, "color": "#1c2430"},
            }
        )
    layout = {
        "title": {"text": title, "font": {"size": 14}, "x": 0, "xanchor": "left", "xref": "paper"},
        "barmode": "overlay",
        "bargap": 0.18,
        "height": 110 + ROW_PIXELS * max(1, len(rows)),
        "margin": {"l": 130, "r": 16, "t": 40, "b": 44},
        "xaxis": {
            "title": {"text": "milliseconds", "font": {"size": 12}},
            "range": [0, 1e3 * until_s],
            "zeroline": False,
        },
        "yaxis": {"categoryorder": "array", "categoryarray": rows[::-1], "automargin": True},
        "showlegend": False,
        "font": {"family": "system-ui, Roboto, DejaVu Sans, sans-serif", "size": 12, "color": "#1c2430"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "#f6f8fb",
    }
    return {"data": traces, "layout": layout}


def _label(bar: Bar, until_s: float) -> str:
    """The node's own name, where there is room for it."""
    name = bar.name.rsplit("/", 1)[-1]
    room = (bar.end_s - bar.start_s) / until_s if until_s else 0.0
    return name if room >= max(LABEL_SHARE, 0.0085 * len(name)) else ""
