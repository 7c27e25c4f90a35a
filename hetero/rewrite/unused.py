"""Work that nobody asks for is not done: nodes whose results reach no output of the graph.

Graph -> graph, before anything is measured. A node that is declared to have effects (``@ht.node(retry=False)``) stays,
and with it what it is given; so does a map or branch with such a node inside.
"""

from __future__ import annotations

from dataclasses import replace

from hetero.graph import INPUT, Graph, Node, refs
from hetero.ops.base import Op
from hetero.ops.branch import BranchOp
from hetero.ops.map import MapOp

__all__ = ["without_unused"]


def without_unused(graph: Graph) -> tuple[Graph, tuple[str, ...]]:
    """The graph without such nodes, inside maps and branches too; and what was left out, in words."""
    left_out: list[str] = []
    found = _pruned(graph, "", left_out)
    if not left_out:
        return graph, ()
    return found, (
        f"left out, since no output takes their results: {', '.join(left_out)}; @ht.node(retry=False) keeps a node for "
        "its effects",
    )


def _pruned(graph: Graph, prefix: str, left_out: list[str]) -> Graph:
    wanted = {ref.node for ref in refs(graph.output)} - {INPUT}
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if node.name in wanted or _has_effects(node.op):
            wanted |= set(node.parents)
            kept.append(replace(node, op=_inside(node.op, f"{prefix}{node.name}/", left_out)))
        else:
            left_out.append(prefix + node.name)
    return replace(graph, nodes=tuple(reversed(kept)))


def _inside(op: Op, prefix: str, left_out: list[str]) -> Op:
    """The op with the graphs inside it pruned; they keep their inputs, which are the op's."""
    if isinstance(op, MapOp):
        return MapOp(_pruned(op.item, prefix, left_out), op.name, op.errors)
    if isinstance(op, BranchOp):
        then = _pruned(op.then, f"{prefix}then/", left_out)
        otherwise = _pruned(op.otherwise, f"{prefix}otherwise/", left_out)
        return BranchOp(then, otherwise, len(op.outputs), op.name)
    return op


def _has_effects(op: Op) -> bool:
    inside = (node.op for graph in op.subgraphs.values() for _, node in graph.walk())
    return op.effects == "once" or any(own.effects == "once" for own in inside)
