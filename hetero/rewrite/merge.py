"""ONNX models that follow each other as one model: graph -> a graph to choose from.

The condition: nothing but the second model takes what the first gives, and takes it as it is; their operators are of
the same versions and what is passed fits (`hetero.ops.onnx_merge`). Whether it pays is measured: the planner makes a
plan of either graph. Merged models can no longer run on different devices, so neither graph is always better.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hetero.errors import ModelError
from hetero.graph import Arg, Graph, Node, Pack, Ref, refs
from hetero.ops.onnx import OnnxOp
from hetero.ops.onnx_merge import Joined, MergedOnnxOp
from hetero.rewrite.inside import with_inner_graphs

__all__ = ["Merging", "with_models_merged"]


@dataclass(frozen=True, slots=True)
class Merging:
    """Paths of the nodes that chains of models became, and why other neighbours stay two models, in words."""

    paths: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def with_models_merged(graph: Graph) -> tuple[Graph, Merging]:
    """The graph with every chain of such models as one node, inside maps and branches too; the same object where there
    is none."""
    told = Merging()
    merged = _merged(graph, "", told)
    return (merged if told.paths else graph), told


def _merged(graph: Graph, prefix: str, told: Merging) -> Graph:
    made: set[str] = set()
    refused: set[tuple[str, str]] = set()
    while (
        pair := next((p for p in _pairs(graph) if (p[0].name, p[1].name) not in refused), None)
    ) is not None:
        first, second, joined = pair
        try:
            graph = _with_pair(graph, first, second, joined)
        except ModelError as error:
            refused.add((first.name, second.name))
            told.reasons.append(f"{prefix}{first.name}, {prefix}{second.name}: {error}")
            continue
        made = (made - {first.name, second.name}) | {_name(first, second)}
    told.paths.extend(prefix + node.name for node in graph if node.name in made)

    def inner(node: Node) -> Node:
        op = with_inner_graphs(
            node.op, prefix + node.name, lambda graph, before: _merged(graph, before, told)
        )
        return replace(node, op=op)

    return replace(graph, nodes=tuple(map(inner, graph)))


def _pairs(graph: Graph) -> Iterator[tuple[Node, Node, Joined]]:
    """Models of which the second alone takes what the first gives, and which of its inputs are outputs of the first."""
    takers: dict[str, list[Node]] = defaultdict(list)
    for node in graph:
        for parent in node.parents:
            takers[parent].append(node)
    returned = {ref.node for ref in refs(graph.output)}
    for first in graph:
        if not isinstance(first.op, OnnxOp) or first.name in returned or len(takers[first.name]) != 1:
            continue
        (second,) = takers[first.name]
        taken = [arg for arg in second.args if any(ref.node == first.name for ref in refs(arg))]
        if isinstance(second.op, OnnxOp) and all(isinstance(arg, Ref) for arg in taken):
            yield (
                first,
                second,
                tuple(
                    arg.output if isinstance(arg, Ref) and arg.node == first.name else None
                    for arg in second.args
                ),
            )


def _with_pair(graph: Graph, first: Node, second: Node, joined: Joined) -> Graph:
    """The graph with the two as one node.

    Raises:
        ModelError: they cannot be one model.
    """
    assert isinstance(first.op, OnnxOp), "_pairs gives nothing else"
    assert isinstance(second.op, OnnxOp), "_pairs gives nothing else"
    given = (arg for arg, output in zip(second.args, joined, strict=True) if output is None)
    name = _name(first, second)
    both = Node(
        name,
        MergedOnnxOp(first.op, second.op, joined),
        (*first.args, *given),
        second.location,
        tuple(user for node in (first, second) for user in node.stands_for or (node.name,)),
    )

    def renamed(arg: Arg) -> Arg:
        if isinstance(arg, Ref):
            return replace(arg, node=name) if arg.node == second.name else arg
        return replace(arg, items=tuple(map(renamed, arg.items))) if isinstance(arg, Pack) else arg

    nodes = tuple(
        both if node is second else replace(node, args=tuple(map(renamed, node.args)))
        for node in graph
        if node is not first
    )
    return replace(graph, nodes=nodes, output=renamed(graph.output))


def _name(first: Node, second: Node) -> str:
    return f"{first.name}+{second.name}"
