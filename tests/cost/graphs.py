"""Small graphs built by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hetero.graph import INPUT, Arg, Graph, Input, Node, Ref
from hetero.ops.branch import BranchOp
from hetero.ops.function import FunctionOp
from hetero.ops.map import MapOp


def node(function: Callable[..., Any], *args: Arg, name: str = "") -> Node:
    op = FunctionOp(function)
    return Node(name or op.name, op, args)


def given(position: int = 0) -> Ref:
    return Ref(INPUT, position)


def chain(*functions: Callable[..., Any]) -> Graph:
    """Each function takes the output of the one before it."""
    nodes: list[Node] = []
    last = given()
    for function in functions:
        nodes.append(node(function, last))
        last = Ref(nodes[-1].name)
    return Graph("chain", (Input("x"),), tuple(nodes), last)


def split(x: Any) -> list[Any]:
    return [x[: i + 1] * 1.0 for i in range(len(x))]


def scale(x: Any, by: Any) -> Any:
    return x * by


def total(items: Any) -> Any:
    return float(sum(float(np.sum(item)) for item in items))


def is_large(value: float) -> bool:
    return value > 10


def halve(value: float) -> float:
    return value / 2


def keep(value: float) -> float:
    return value


def map_and_branch() -> Graph:
    """split -> map(scale, closing over an input) -> total -> branch(halve | keep)."""
    item = Graph("item", (Input("item"), Input("by")), (node(scale, given(0), given(1)),), Ref("scale"))
    mapped = Node("map", MapOp(item), (Ref("split"), given(1)))
    then = Graph("then", (Input("value"),), (node(halve, given()),), Ref("halve"))
    otherwise = Graph("otherwise", (Input("value"),), (node(keep, given()),), Ref("keep"))
    branch = Node("branch", BranchOp(then, otherwise, 1), (Ref("is_large"), Ref("total")))
    nodes = (
        node(split, given(0)),
        mapped,
        node(total, Ref("map")),
        node(is_large, Ref("total")),
        branch,
    )
    return Graph("both", (Input("x"), Input("by", 2.0)), nodes, Ref("branch"))
