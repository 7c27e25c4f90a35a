"""The task graph as a picture: each node in the colour of the device that it was given."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from hetero.plans import CONTROL
from hetero.report.colours import CONTROL_COLOUR
from hetero.report.layers import Box, Drawing, Edge, lay_out
from hetero.show import seconds

if TYPE_CHECKING:
    from hetero.plans import Plan

__all__ = ["placement_svg"]

MARGIN = 8.0
NAME_LETTERS = 22
DETAIL_LETTERS = 27
BEND = 22.0


def placement_svg(plan: Plan, colours: Mapping[str, str], measured: Mapping[str, float]) -> str:
    """An SVG element. ``measured`` has the seconds that each node took for a request, where it ran."""
    drawing = lay_out(plan.graph).moved(MARGIN, MARGIN)
    width, height = drawing.width + 2 * MARGIN, drawing.height + 2 * MARGIN
    parts = [
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img" '
        f'aria-label="placement of {escape(plan.graph.name)}" xmlns="http://www.w3.org/2000/svg">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#7b8794"/></marker></defs>',
        *_layers(plan, drawing, colours, measured),
        "</svg>",
    ]
    return "\n".join(parts)


def _layers(
    plan: Plan, drawing: Drawing, colours: Mapping[str, str], measured: Mapping[str, float]
) -> list[str]:
    """Frames first, then edges, then nodes: an edge never hides a name."""
    filled = {box.path.rpartition("/")[0] for box in drawing.boxes}
    frames = [_frame(plan, box, box.path not in filled) for box in drawing.boxes if box.frame]
    nodes = [_node(plan, box, colours, measured) for box in drawing.boxes if not box.frame]
    return [*frames, *map(_edge, drawing.edges), *nodes]


def _frame(plan: Plan, box: Box, empty: bool) -> str:
    choice = plan.choices.get(box.path)
    name = box.path.rsplit("/", 1)[-1]
    lanes = choice.variant.settings.get("lanes") if choice is not None else None
    title = f"{name}, {lanes} lane{'' if lanes == 1 else 's'}" if lanes else name
    frame = (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="8" '
        f'fill="{CONTROL_COLOUR}" fill-opacity="0.35" stroke="#b7c0cd"/>'
        f'<text x="{box.x + 10:.1f}" y="{box.y + 15:.1f}" class="frame">{escape(title)}</text>'
    )
    if empty:
        frame += f'<text x="{box.x + 16:.1f}" y="{box.y + 44:.1f}" class="detail">a value is passed on</text>'
    return frame


def _node(plan: Plan, box: Box, colours: Mapping[str, str], measured: Mapping[str, float]) -> str:
    choice = plan.choices[box.path]
    assert choice.device != CONTROL, "maps and branches are frames"
    took_s = measured.get(box.path)
    detail = f"{choice.device}, {choice.variant.precision}"
    if choice.variant.threads > 1:
        detail += f", {choice.variant.threads} threads"
    if took_s is not None:
        detail = f"{seconds(took_s)}  {choice.device}"
    colour = colours[choice.device]
    name = box.path.rsplit("/", 1)[-1]
    return (
        f"<g><title>{escape(f'{box.path}: {choice}')}</title>"
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="6" '
        f'fill="#ffffff" stroke="{colour}" stroke-width="1.5"/>'
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="7" height="{box.height:.1f}" rx="3" fill="{colour}"/>'
        f'<text x="{box.x + 16:.1f}" y="{box.y + 18:.1f}" class="name">{escape(_cut(name, NAME_LETTERS))}</text>'
        f'<text x="{box.x + 16:.1f}" y="{box.y + 33:.1f}" class="detail">{escape(_cut(detail, DETAIL_LETTERS))}</text>'
        "</g>"
    )


def _edge(edge: Edge) -> str:
    x1, y1, x2, y2 = edge.x1, edge.y1, edge.x2, edge.y2
    if edge.past_x is None:
        middle = (y1 + y2) / 2
        way = f"M{x1:.1f} {y1:.1f} C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}"
    else:
        x = edge.past_x
        way = (
            f"M{x1:.1f} {y1:.1f} C{x1:.1f} {y1 + BEND:.1f} {x:.1f} {y1:.1f} {x:.1f} {y1 + BEND:.1f} "
            f"L{x:.1f} {y2 - BEND:.1f} C{x:.1f} {y2:.1f} {x2:.1f} {y2 - BEND:.1f} {x2:.1f} {y2:.1f}"
        )
    return f'<path d="{way}" fill="none" stroke="#7b8794" stroke-width="1.2" marker-end="url(#tip)"/>'


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"
