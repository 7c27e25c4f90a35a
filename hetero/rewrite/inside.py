"""What a rewrite does to a graph, done to the graphs inside a map or a branch as well."""

from __future__ import annotations

from collections.abc import Callable

from hetero.graph import Graph
from hetero.ops.base import Op
from hetero.ops.branch import BranchOp
from hetero.ops.map import MapOp

__all__ = ["with_inner_graphs"]


def with_inner_graphs(op: Op, path: str, change: Callable[[Graph, str], Graph]) -> Op:
    """The op of the node at ``path`` with its graphs changed, which keep their inputs; any other op as it is.

    ``change`` is given each graph, and what comes before the names of its nodes in their paths.
    """
    if isinstance(op, MapOp):
        return MapOp(change(op.item, f"{path}/"), op.name, op.errors)
    if isinstance(op, BranchOp):
        then, otherwise = change(op.then, f"{path}/then/"), change(op.otherwise, f"{path}/otherwise/")
        return BranchOp(then, otherwise, len(op.outputs), op.name)
    return op
