"""Throughput against load, and latency against the rate of arrivals, in plotly's own JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hetero.show import rate, seconds

if TYPE_CHECKING:
    from hetero.run.load import Load, LoadCurve

__all__ = ["HEADERS", "charts", "rows"]

HEADERS = ("load", "answers a second", "counted", "p50", "p99", "not answered")


def rows(curve: LoadCurve) -> list[tuple[str, ...]]:
    """A row for each load: closed loops, then open ones."""
    return [*(_row("closed", load) for load in curve.closed), *(_row("open", load) for load in curve.open)]


def _row(kind: str, load: Load) -> tuple[str, ...]:
    return (
        f"{kind}: {load.name}",
        "too few" if load.per_second is None else rate(load.per_second),
        load.counted,
        _time(load.p50_s),
        _time(load.p99_s),
        str(load.failed),
    )


def _time(value: float) -> str:
    return seconds(value) if math.isfinite(value) else "–"


def charts(curve: LoadCurve) -> list[dict[str, Any]]:
    """Answers a second by users of closed loops; p50 and p99 by rate of open loops. Each only where it has points."""
    found = []
    if curve.closed:
        throughput = _line(
            "answers a second",
            [float(load.users or 0) for load in curve.closed],
            [load.per_second or math.nan for load in curve.closed],
        )
        found.append(
            _figure(
                "Throughput against load: each user waits for an answer",
                "users",
                "answers a second",
                [throughput],
            )
        )
    if curve.open:
        rates = [load.rate or 0.0 for load in curve.open]
        lines = [
            _line("p50", rates, [load.p50_s for load in curve.open]),
            _line("p99", rates, [load.p99_s for load in curve.open]),
        ]
        found.append(
            _figure("Latency under load: random arrivals at a rate", "arrivals a second", "seconds", lines)
        )
    return found


def _line(name: str, x: Sequence[float], y: Sequence[float]) -> dict[str, Any]:
    """A latency without an end, and a rate that cannot be told, have no point."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": list(x),
        "y": [value if math.isfinite(value) else None for value in y],
    }


def _figure(title: str, x: str, y: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    layout = {
        "title": {"text": title, "font": {"size": 14}, "x": 0, "xanchor": "left", "xref": "paper"},
        "height": 300,
        "margin": {"l": 70, "r": 16, "t": 40, "b": 44},
        "xaxis": {"title": {"text": x, "font": {"size": 12}}, "rangemode": "tozero"},
        "yaxis": {
            "title": {"text": y, "font": {"size": 12}},
            "rangemode": "tozero",
            "exponentformat": "none",
        },
        "showlegend": len(lines) > 1,
        "font": {"family": "system-ui, Roboto, DejaVu Sans, sans-serif", "size": 12, "color": "#1c2430"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "#f6f8fb",
    }
    return {"data": lines, "layout": layout}
