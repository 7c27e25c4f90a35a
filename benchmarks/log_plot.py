"""Lines over logarithmic axes as an SVG file, panels side by side: for plots that a page or a README can show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TypeAlias

Points: TypeAlias = Sequence[tuple[float, float]]

COLOURS = ("#2563eb", "#0d9488", "#9333ea", "#d97706", "#dc2626", "#64748b", "#0f172a", "#db2777")
WIDTH, HEIGHT, LEFT, TOP, GAP = 260.0, 240.0, 56.0, 34.0, 24.0


def save(
    path: Path, panels: Mapping[str, Mapping[str, Points]], x_title: str, y_title: str, source: str
) -> None:
    """Write the plot. ``panels`` are lines by name, by the panel's title; ``source`` is the command that made it."""
    points = [point for lines in panels.values() for line in lines.values() for point in line]
    xs = _decades([x for x, _ in points])
    ys = _decades([y for _, y in points])
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    colours = dict(zip(names, COLOURS, strict=False))
    width = LEFT + len(panels) * (WIDTH + GAP)
    height = TOP + HEIGHT + 62 + 18 * math.ceil(len(names) / 4)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#0f172a">',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
        f"<desc>{escape(source)}</desc>",
        f'<text transform="translate(14 {TOP + HEIGHT / 2:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_title)}</text>",
    ]
    for number, (title, lines) in enumerate(panels.items()):
        parts += _panel(LEFT + number * (WIDTH + GAP), title, lines, colours, xs, ys, number == 0)
    parts.append(
        f'<text x="{width / 2:.0f}" y="{TOP + HEIGHT + 36:.0f}" text-anchor="middle">{escape(x_title)}</text>'
    )
    for number, name in enumerate(names):
        x = LEFT + (number % 4) * (width - LEFT) / 4
        y = TOP + HEIGHT + 58 + 18 * (number // 4)
        parts.append(f'<path d="M{x:.0f} {y - 4:.0f}h18" stroke="{colours[name]}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 24:.0f}" y="{y:.0f}">{escape(name)}</text>')
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", "utf-8")


def _panel(
    left: float,
    title: str,
    lines: Mapping[str, Points],
    colours: Mapping[str, str],
    xs: tuple[int, int],
    ys: tuple[int, int],
    labelled: bool,
) -> list[str]:
    def x_of(value: float) -> float:
        return left + WIDTH * (math.log10(value) - xs[0]) / (xs[1] - xs[0])

    def y_of(value: float) -> float:
        return TOP + HEIGHT * (ys[1] - math.log10(value)) / (ys[1] - ys[0])

    parts = [
        f'<text x="{left + WIDTH / 2:.0f}" y="{TOP - 12:.0f}" text-anchor="middle">{escape(title)}</text>'
    ]
    for decade in range(ys[0], ys[1] + 1):
        y = y_of(10.0**decade)
        parts.append(f'<path d="M{left:.0f} {y:.1f}h{WIDTH:.0f}" stroke="#e2e8f0"/>')
        if labelled:
            parts.append(
                f'<text x="{left - 6:.0f}" y="{y + 4:.0f}" text-anchor="end">{10.0**decade:g}</text>'
            )
    for decade in range(xs[0], xs[1] + 1):
        x = x_of(10.0**decade)
        parts.append(
            f'<text x="{x:.0f}" y="{TOP + HEIGHT + 16:.0f}" text-anchor="middle">{10**decade:,}</text>'
        )
    for name, points in lines.items():
        way = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colours[name]}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="2.5" fill="{colours[name]}"/>'
            for x, y in points
        ]
    return parts


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten around some positive numbers."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)
