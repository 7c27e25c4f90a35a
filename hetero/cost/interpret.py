"""Walk a graph with real values, node after node, with someone else deciding how each node runs.

Maps and branches are walked here, so that who records, checks or compares sees every node at its path. A map is walked
item by item, unless one of its nodes takes all items at once: then node by node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
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

Together: TypeAlias = Mapping[str, Callable[[Sequence[tuple[Any, ...]]], Sequence[Outputs]]]
"""Nodes inside maps that take all items of a run at once, by path: the inputs of each to the outputs of each."""


def interpret(
    graph: Graph,
    inputs: Sequence[Any],
    run: RunNode,
    seen: Seen = lambda *_: None,
    prefix: str = "",
    together: Together = MappingProxyType({}),
) -> Any:
    """The output of the graph. ``seen`` hears of every node's inputs and outputs once it has run."""
    return _side_by_side(graph, [inputs], run, seen, prefix, together)[0]


def _side_by_side(
    graph: Graph, items: Sequence[Sequence[Any]], run: RunNode, seen: Seen, prefix: str, together: Together
) -> list[Any]:
    """The graph's output for each of several inputs, one node after the other."""
    values: list[dict[Ref, Any]] = [{Ref(INPUT, i): v for i, v in enumerate(inputs)} for inputs in items]
    for node in graph:
        path = prefix + node.name
        given = [tuple(resolve(arg, own.__getitem__) for arg in node.args) for own in values]
        whole = together.get(path)
        if whole is not None:
            found = whole(given)
        else:
            found = [_outputs(path, node, arguments, run, seen, together) for arguments in given]
        for own, arguments, outputs in zip(values, given, found, strict=True):
            seen(path, node, arguments, outputs)
            own.update({Ref(node.name, i): value for i, value in enumerate(outputs)})
    return [resolve(graph.output, own.__getitem__) for own in values]


def _outputs(
    path: str, node: Node, inputs: tuple[Any, ...], run: RunNode, seen: Seen, together: Together
) -> Outputs:
    outputs = run(path, node, inputs)
    return _inside(path, node, inputs, run, seen, together) if outputs is None else outputs


def _inside(
    path: str, node: Node, inputs: tuple[Any, ...], run: RunNode, seen: Seen, together: Together
) -> Outputs:
    first, *closure = inputs
    if isinstance(node.op, MapOp):
        if any(f"{path}/{inner.name}" in together for inner in node.op.item):
            items = [(x, *closure) for x in items_of(first)]
            return (_side_by_side(node.op.item, items, run, seen, f"{path}/", together),)

        def item(x: Any) -> Any:
            return interpret(node.op.subgraphs[""], (x, *closure), run, seen, f"{path}/", together)

        if node.op.errors == "raise":
            return ([item(x) for x in items_of(first)],)
        return ([_returning(item, x) for x in items_of(first)],)
    if isinstance(node.op, BranchOp):
        side = "then" if first else "otherwise"
        result = interpret(node.op.subgraphs[side], closure, run, seen, f"{path}/{side}/", together)
        return (result,) if len(node.op.outputs) == 1 else tuple(result)
    raise TypeError(f"{path}: a {node.op.kind} has nothing inside")


def _returning(item: Callable[[Any], Any], x: Any) -> Any:
    """The item's result, or its node's error in that place."""
    try:
        return item(x)
    except NodeError as error:
        return error
