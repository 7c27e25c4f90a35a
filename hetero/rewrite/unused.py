"""Work that nobody asks for is not done: nodes whose results reach no output of the graph.

Graph -> graph, before anything is measured. A node that is declared to have effects (``@ht.node(retry=False)``) stays,
and with it what it is given; so does a map or branch with such a node inside.
"""

from __future__ import annotations

from dataclasses import replace

from hetero.graph import INPUT, Graph, Node, refs
from hetero.ops.base import Op
from hetero.rewrite.inside import with_inner_graphs

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
            inner = with_inner_graphs(
                node.op, prefix + node.name, lambda graph, prefix: _pruned(graph, prefix, left_out)
            )
            kept.append(replace(node, op=inner))
        else:
            left_out.append(prefix + node.name)
    return replace(graph, nodes=tuple(reversed(kept)))


def _has_effects(op: Op) -> bool:
    inside = (node.op for graph in op.subgraphs.values() for _, node in graph.walk())
    return op.effects == "once" or any(own.effects == "once" for own in inside)
