"""Circuits of a graph made smaller: states that several nodes ask about shared, each circuit as its independent parts.

Graph -> graph, before anything is measured, since each step keeps what is asked for (tests/quantum/test_reductions.py)
and none costs anything to speak of. The parts are nodes like any other: each gets a simulator of its own, and
independent ones run beside each other. What a caller sees stays: the node of the circuit's name gives the circuit's
answer, put together from the parts'.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hetero.graph import Arg, Const, Graph, Node, Pack, Ref
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_part import CircuitPartOp
from hetero.ops.counts import values_of
from hetero.ops.function import FunctionOp
from hetero.ops.shots import AUTO_ERROR, shots_for, standard_error
from hetero.rewrite.components import SMALL_QUBITS
from hetero.rewrite.inside import with_inner_graphs
from hetero.rewrite.joined import Join
from hetero.rewrite.shared_states import with_shared_states

__all__ = ["with_small_circuits"]


def with_small_circuits(graph: Graph, error: float | None = None) -> tuple[Graph, tuple[str, ...]]:
    """The graph with its circuits reduced, those inside maps and branches too; and what was done, in words.

    Shots that are the planner's to choose become the fewest that keep the ``error`` limit: time grows with shots and
    error falls, so of all numbers of shots no other one can be the best.

    Raises:
        InfeasibleError: no number of shots keeps it.
    """
    if not any(type(node.op) is CircuitOp for _, node in graph.walk()):
        return graph, ()
    notes: list[str] = []
    return _reduced(graph, "", error, notes), tuple(notes)


def _reduced(graph: Graph, prefix: str, error: float | None, notes: list[str]) -> Graph:
    shared, told = with_shared_states(graph)
    notes += [prefix + note for note in told]
    nodes = [new for node in shared.nodes for new in _node(node, prefix, error, notes)]
    return replace(shared, nodes=tuple(nodes))


def _node(node: Node, prefix: str, error: float | None, notes: list[str]) -> Iterator[Node]:
    op, path = node.op, prefix + node.name
    if type(op) is CircuitOp:
        op = _with_shots(op, path, error, notes)
        node = replace(node, op=op)
        yield from _parts(node, op, path, notes) if op.features.qubits > SMALL_QUBITS else (node,)
    else:
        inner = with_inner_graphs(op, path, lambda graph, prefix: _reduced(graph, prefix, error, notes))
        yield replace(node, op=inner)


def _with_shots(op: CircuitOp, path: str, error: float | None, notes: list[str]) -> CircuitOp:
    """The op with the shots that the error limit asks for, where they are not the user's."""
    if not op.planned_shots:
        return op
    asked = error if error is not None and error < math.inf else None
    shots = shots_for(AUTO_ERROR if asked is None else asked)
    others = (f"{n:,} shots have {standard_error(n):.2g}" for n in (max(shots // 4, 1), 4 * shots))
    notes.append(
        f"{path}: {shots:,} shots, the fewest with a standard error of {standard_error(shots):.2g} "
        f"({'where no error limit is given' if asked is None else 'the error limit'}); {', '.join(others)}"
    )
    return replace(op, shots=shots)


def _parts(node: Node, op: CircuitOp, path: str, notes: list[str]) -> Iterator[Node]:
    """The node as its parts and the node that joins them; itself where nothing is saved."""
    from hetero.rewrite.reduce_circuit import reduced

    small = reduced(op)
    if [part.op for part in small.parts] == [op]:
        yield node
        return
    names = [f"{node.name}.{number}" for number in range(1, len(small.parts) + 1)]
    for name, part in zip(names, small.parts, strict=True):
        one = replace(part.op, name=name, planned_shots=op.planned_shots)
        own = CircuitPartOp.of(one, part.columns, op.angles)
        yield Node(name, own, node.args if own.angles else (), node.location)
    answers = Pack("list", tuple(Ref(name) for name in names))
    parameters: Arg = node.args[0] if node.args else Const(None)
    yield Node(
        node.name, FunctionOp(Joined(op, small.combine), name=op.name), (answers, parameters), node.location
    )
    widths = ", ".join(str(part.op.features.qubits) for part in small.parts) or "no"
    notes.append(
        f"{path}: simulated as {widths} qubits instead of {op.features.qubits}: {'; '.join(small.notes)}"
    )


@dataclass(frozen=True)
class Joined:
    """The output of a circuit node from those of its parts and the parameters that they were given."""

    op: CircuitOp
    join: Join

    def __call__(self, answers: list[Any], parameters: Any) -> Any:
        op = self.op
        rows, shape = op.rows([parameters])
        if op.shots is None:
            tables = [np.reshape(one, (-1, np.shape(one)[-1])) for one in answers]
            return op.pack_expectations(self.join(tables, len(rows), _NO_CHANCE), shape)
        found = [[values_of(one) for one in _flat(answer, len(shape))] for answer in answers]
        return op.pack_counts(self.join(found, len(rows), np.random.default_rng(op.seed)), shape)


_NO_CHANCE = np.random.default_rng(0)
"""Expectation values are joined without it."""


def _flat(answer: Any, depth: int) -> list[Any]:
    """Nested lists of counts as one list."""
    found = [answer]
    for _ in range(depth):
        found = [one for inner in found for one in inner]
    return found
