"""Nodes that ask the same circuit, given the same parameters, for different expectation values share one state."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hetero.graph import Arg, Const, Graph, Node, Pack, Ref
from hetero.ops.circuit import CircuitOp
from hetero.ops.function import FunctionOp
from hetero.values import digest_of

__all__ = ["with_shared_states"]


def with_shared_states(graph: Graph) -> tuple[Graph, tuple[str, ...]]:
    """The graph with one circuit node for each state that several nodes ask about, and what was done, in words.

    The nodes keep their names, and take their values from that one's. (Nodes that sample are left apart: their shots
    have to be independent of each other's.)
    """
    groups: dict[Hashable, list[Node]] = {}
    for node in graph.nodes:
        op = node.op
        if type(op) is CircuitOp and op.shots is None:  # a part is of a graph that was rewritten before
            groups.setdefault((op.circuit_digest, tuple(map(_key, node.args))), []).append(node)
    shared = {members[0].name: members for members in groups.values() if len(members) > 1}
    if not shared:
        return graph, ()
    parts = {member.name: part for members in shared.values() for part, member in _asked(members)}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.name in shared:
            nodes.append(_together(shared[node.name]))
        if node.name in parts:
            state, first = parts[node.name]
            op = node.op
            assert isinstance(op, CircuitOp)
            own = Own(first, len(op.observables), op.scalar)
            node = replace(node, op=FunctionOp(own, name=op.name), args=(Ref(state),))
        nodes.append(node)
    notes = tuple(
        f"{', '.join(member.name for member in members)}: one state for all of them"
        for members in shared.values()
    )
    return replace(graph, nodes=tuple(nodes)), notes


@dataclass(frozen=True)
class Own:
    """A node's own expectation values out of all that were asked of the state."""

    first: int
    count: int
    scalar: bool

    def __call__(self, values: Any) -> Any:
        found = np.asarray(values)[..., self.first : self.first + self.count]
        return found[..., 0] if self.scalar else found


def _name(members: list[Node]) -> str:
    return "+".join(member.name for member in members)


def _together(members: list[Node]) -> Node:
    first = members[0].op
    assert isinstance(first, CircuitOp)
    observables = tuple(o for member in members for o in member.op.observables)  # type: ignore[attr-defined]
    name = _name(members)
    return replace(members[0], name=name, op=replace(first, observables=observables, scalar=False, name=name))


def _asked(members: list[Node]) -> Iterator[tuple[tuple[str, int], Node]]:
    """For each node the name of the one with its state, and the number of its first value there."""
    first = 0
    for member in members:
        yield (_name(members), first), member
        first += len(member.op.observables)  # type: ignore[attr-defined]


def _key(arg: Arg) -> Hashable:
    """What two arguments have in common that have the same value."""
    if isinstance(arg, Const):
        return digest_of(arg.value)
    if isinstance(arg, Pack):
        return arg.type, arg.keys, tuple(map(_key, arg.items))
    return arg
