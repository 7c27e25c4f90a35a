"""Walk a graph with real values, node after node, with someone else deciding how each node runs.

Maps and branches are walked here, so that who records, checks or compares sees every node at its path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from hetero.errors import NodeError
from hetero.graph import INPUT, Graph, Node, Ref, resolve
from hetero.ops.base import Outputs
from hetero.ops.branch import BranchOp
from hetero.ops.map import MapOp, items_of

__all__ = ["RunNode", "interpret"]

RunNode: TypeAlias = Callable[[str, Node, tuple[Any, ...]], Outputs | None]
"""Path, node and inputs to outputs. For a map or a branch: None, to have the graphs inside it walked."""

Seen: TypeAlias = Callable[[str, Node, tuple[Any, ...], Outputs], None]


def interpret(
    graph: Graph, inputs: Sequence[Any], run: RunNode, seen: Seen = lambda *_: None, prefix: str = ""
) -> Any:
    """The output of the graph. ``seen`` hears of every node's inputs and outputs once it has run."""
    values: dict[Ref, Any] = {Ref(INPUT, i): value for i, value in enumerate(inputs)}
    for node in graph:
        path = prefix + node.name
        arguments = tuple(resolve(arg, values.__getitem__) for arg in node.args)
        outputs = run(path, node, arguments)
        if outputs is None:
            outputs = _inside(path, node, arguments, run, seen)
        seen(path, node, arguments, outputs)
        values.update({Ref(node.name, i): value for i, value in enumerate(outputs)})
    return resolve(graph.output, values.__getitem__)


def _inside(path: str, node: Node, inputs: tuple[Any, ...], run: RunNode, seen: Seen) -> Outputs:
    first, *closure = inputs
    if isinstance(node.op, MapOp):

        def item(x: Any) -> Any:
            return interpret(node.op.subgraphs[""], (x, *closure), run, seen, f"{path}/")

        if node.op.errors == "raise":
            return ([item(x) for x in items_of(first)],)
        return ([_returning(item, x) for x in items_of(first)],)
    if isinstance(node.op, BranchOp):
        side = "then" if first else "otherwise"
        result = interpret(node.op.subgraphs[side], closure, run, seen, f"{path}/{side}/")
        return (result,) if len(node.op.outputs) == 1 else tuple(result)
    raise TypeError(f"{path}: a {node.op.kind} has nothing inside")


def _returning(item: Callable[[Any], Any], x: Any) -> Any:
    """The item's result, or its node's error in that place."""
    try:
        return item(x)
    except NodeError as error:
        return error
