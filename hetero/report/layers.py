"""A layered drawing of a task graph: who stands where. Pure geometry, in pixels; no colours, no text.

Nodes stand in layers by their longest path from the inputs, top to bottom. A map or branch is a frame around the
drawing of its insides, so a layout is made from the inside out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hetero.graph import Graph, Node

__all__ = ["Box", "Drawing", "Edge", "lay_out"]

WIDTH, HEIGHT = 168.0, 42.0
GAP_X, GAP_Y = 22.0, 24.0
BYPASS = 12.0
PADDING, HEADER = 14.0, 26.0


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
    """From the bottom of one node to the top of another; by way of ``past_x`` where nodes stand in between."""

    x1: float
    y1: float
    x2: float
    y2: float
    past_x: float | None = None

    def moved(self, dx: float, dy: float) -> Edge:
        past_x = None if self.past_x is None else self.past_x + dx
        return Edge(self.x1 + dx, self.y1 + dy, self.x2 + dx, self.y2 + dy, past_x)


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
            tuple(edge.moved(dx, dy) for edge in self.edges),
        )


@dataclass(slots=True)
class _Placed:
    node: Node
    drawing: Drawing
    layer: int
    centre: float = 0.0
    top: float = 0.0


def lay_out(graph: Graph, prefix: str = "") -> Drawing:
    """The drawing of a graph whose nodes have paths that begin with ``prefix``."""
    placed: dict[str, _Placed] = {}
    for node in graph:
        depth = 1 + max((placed[parent].layer for parent in node.parents), default=-1)
        placed[node.name] = _Placed(node, _alone(node, prefix), depth)
    layers: list[list[_Placed]] = [[] for _ in range(1 + max((p.layer for p in placed.values()), default=-1))]
    for one in placed.values():
        layers[one.layer].append(one)
    _order(layers)
    width = max((_span(layer) for layer in layers), default=WIDTH)
    y = 0.0
    for layer in layers:
        x = (width - _span(layer)) / 2
        for one in layer:
            one.top, one.centre = y, x + one.drawing.width / 2
            x += one.drawing.width + GAP_X
        y += max(one.drawing.height for one in layer) + GAP_Y
    edges = _edges(layers, placed)
    moved = [one.drawing.moved(one.centre - one.drawing.width / 2, one.top) for one in placed.values()]
    return Drawing(
        max([width, *(edge.past_x for edge in edges if edge.past_x is not None)]),
        max(y - GAP_Y, HEIGHT),
        tuple(box for drawing in moved for box in drawing.boxes),
        (*edges, *(edge for drawing in moved for edge in drawing.edges)),
    )


def _edges(layers: Sequence[Sequence[_Placed]], placed: Mapping[str, _Placed]) -> list[Edge]:
    """An edge over several layers passes on the right of all that stands there, each such edge further out."""
    edges = []
    bypasses = 0
    for one in placed.values():
        for parent in map(placed.__getitem__, one.node.parents):
            between = [other for layer in layers[parent.layer + 1 : one.layer] for other in layer]
            past_x = None
            if between:
                bypasses += 1
                past_x = max(other.centre + other.drawing.width / 2 for other in between) + BYPASS * bypasses
            bottom = parent.top + parent.drawing.height
            edges.append(Edge(parent.centre, bottom, one.centre, one.top, past_x))
    return edges


def _alone(node: Node, prefix: str) -> Drawing:
    """One node: a box, or a frame around the graphs inside it; each side of a branch has a frame of its own."""
    path = prefix + node.name
    if not node.op.subgraphs:
        return Drawing(WIDTH, HEIGHT, (Box(path, 0, 0, WIDTH, HEIGHT),))
    insides = []
    for side, graph in node.op.subgraphs.items():
        inside = lay_out(graph, f"{path}/{side}/" if side else f"{path}/")
        insides.append(_framed(f"{path}/{side}", [inside]) if side else inside)
    return _framed(path, insides)


def _framed(path: str, insides: Sequence[Drawing]) -> Drawing:
    x = PADDING
    moved = []
    for inside in insides:
        moved.append(inside.moved(x, HEADER))
        x += inside.width + GAP_X
    width = x - GAP_X + PADDING
    height = HEADER + max(inside.height for inside in insides) + PADDING
    boxes = (box for drawing in moved for box in drawing.boxes)
    edges = tuple(edge for drawing in moved for edge in drawing.edges)
    return Drawing(width, height, (Box(path, 0, 0, width, height, True), *boxes), edges)


def _span(layer: Sequence[_Placed]) -> float:
    return sum(one.drawing.width for one in layer) + GAP_X * (len(layer) - 1)


def _order(layers: Sequence[list[_Placed]]) -> None:
    """Order each layer by where its parents stand (the barycentre heuristic of Sugiyama, Tagawa and Toda, 1981,
    DOI 10.1109/TSMC.1981.4308636), one sweep down: enough for graphs that a person reads."""
    position: dict[str, float] = {}
    for depth, layer in enumerate(layers):
        if depth:
            layer.sort(key=lambda one: sum(position[p] for p in one.node.parents) / len(one.node.parents))
        position.update({one.node.name: float(i) for i, one in enumerate(layer)})
