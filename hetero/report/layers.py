"""A layered drawing of a task graph: who stands where. Pure geometry, in pixels; no colours, no text.

Nodes stand in layers by their longest path from the inputs, top to bottom. A map or branch is a frame around the drawing
of its insides, so a layout is made from the inside out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hetero.graph import Graph, Node

__all__ = ["Box", "Drawing", "Edge", "lay_out"]

WIDTH, HEIGHT = 168.0, 46.0
GAP_X, GAP_Y = 22.0, 30.0
PADDING, HEADER, SIDE_HEADER = 14.0, 30.0, 20.0


@dataclass(frozen=True, slots=True)
class Box:
    """A node (``path`` of the graph's walk), or the frame of a map, a branch or a branch's side (``frame``)."""

    path: str
    x: float
    y: float
    width: float
    height: float
    frame: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """From the bottom of one node to the top of another."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """Boxes, outer ones before inner ones, and the edges between them, in a rectangle from (0, 0)."""

    width: float
    height: float
    boxes: tuple[Box, ...] = ()
    edges: tuple[Edge, ...] = ()

    def moved(self, dx: float, dy: float) -> Drawing:
        return Drawing(
            self.width,
            self.height,
            tuple(Box(b.path, b.x + dx, b.y + dy, b.width, b.height, b.frame) for b in self.boxes),
            tuple(Edge(e.x1 + dx, e.y1 + dy, e.x2 + dx, e.y2 + dy) for e in self.edges),
        )


@dataclass(slots=True)
class _Placed:
    node: Node
    drawing: Drawing
    layer: int
    centre: float = 0.0
    top: float = 0.0
    parents: tuple[str, ...] = field(default=())


def lay_out(graph: Graph, prefix: str = "") -> Drawing:
    """The drawing of a graph whose nodes have paths that begin with ``prefix``."""
    placed: dict[str, _Placed] = {}
    for node in graph:
        layer = 1 + max((placed[parent].layer for parent in node.parents), default=-1)
        placed[node.name] = _Placed(node, _alone(node, prefix), layer, parents=node.parents)
    layers: list[list[_Placed]] = [[] for _ in range(1 + max((p.layer for p in placed.values()), default=-1))]
    for one in placed.values():
        layers[one.layer].append(one)
    _order(layers, placed)
    width = max((_span(layer) for layer in layers), default=WIDTH)
    y = 0.0
    for layer in layers:
        x = (width - _span(layer)) / 2
        for one in layer:
            one.top, one.centre = y, x + one.drawing.width / 2
            x += one.drawing.width + GAP_X
        y += max(one.drawing.height for one in layer) + GAP_Y
    moved = [one.drawing.moved(one.centre - one.drawing.width / 2, one.top) for one in placed.values()]
    edges = [
        Edge(
            placed[parent].centre,
            placed[parent].top + placed[parent].drawing.height,
            one.centre,
            one.top,
        )
        for one in placed.values()
        for parent in one.parents
    ]
    return Drawing(
        width,
        max(y - GAP_Y, HEIGHT),
        tuple(box for drawing in moved for box in drawing.boxes),
        (*edges, *(edge for drawing in moved for edge in drawing.edges)),
    )


def _alone(node: Node, prefix: str) -> Drawing:
    """One node: a box, or a frame around the graphs inside it, side by side."""
    path = prefix + node.name
    if not node.op.subgraphs:
        return Drawing(WIDTH, HEIGHT, (Box(path, 0, 0, WIDTH, HEIGHT),))
    x, top = PADDING, HEADER
    boxes: list[Box] = []
    edges: list[Edge] = []
    bottom = top
    for side, graph in node.op.subgraphs.items():
        inner = lay_out(graph, f"{path}/{side}/" if side else f"{path}/")
        header = SIDE_HEADER if side else 0.0
        if side:
            boxes.append(
                Box(
                    f"{path}/{side}", x, top, inner.width + 2 * PADDING, inner.height + header + PADDING, True
                )
            )
        moved = inner.moved(x + (PADDING if side else 0.0), top + header)
        boxes += moved.boxes
        edges += moved.edges
        x += inner.width + (2 * PADDING + GAP_X if side else GAP_X)
        bottom = max(bottom, top + header + inner.height + (PADDING if side else 0.0))
    width, height = x - GAP_X + PADDING, bottom + PADDING
    return Drawing(width, height, (Box(path, 0, 0, width, height, True), *boxes), tuple(edges))


def _span(layer: Sequence[_Placed]) -> float:
    return sum(one.drawing.width for one in layer) + GAP_X * (len(layer) - 1)


def _order(layers: Sequence[list[_Placed]], placed: Mapping[str, _Placed]) -> None:
    """Order each layer by where its parents stand (the barycentre heuristic of Sugiyama, Tagawa and Toda, 1981,
    DOI 10.1109/TSMC.1981.4308636), one sweep down: enough for graphs that a person reads."""
    position = {one.node.name: float(i) for i, one in enumerate(layers[0])} if layers else {}
    for _, layer in pairwise(layers):
        layer.sort(key=lambda one: sum(position[p] for p in one.parents) / len(one.parents))
        position.update({one.node.name: float(i) for i, one in enumerate(layer)})
