"""Split a circuit into parts that no gate joins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hetero.ops.circuit_build import rebuilt

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["components", "packed", "part_of"]

SMALL_QUBITS = 10
"""Parts are put together up to this width: simulating them as one then costs less than another call."""


def components(circuit: QuantumCircuit) -> list[tuple[int, ...]]:
    """The qubits of each connected part, in order; those without a gate are in none.

    >>> from qiskit import QuantumCircuit
    >>> circuit = QuantumCircuit(5)
    >>> _ = circuit.cx(0, 3), circuit.h(1), circuit.cx(3, 4)
    >>> components(circuit)
    [(0, 3, 4), (1,)]
    """
    parent: dict[Any, Any] = {}

    def root(qubit: Any) -> Any:
        while parent[qubit] != qubit:
            parent[qubit] = parent[parent[qubit]]
            qubit = parent[qubit]
        return qubit

    for instruction in circuit.data:
        if instruction.name == "barrier":
            continue
        for qubit in instruction.qubits:
            parent.setdefault(qubit, qubit)
        first, *rest = instruction.qubits
        for qubit in rest:
            parent[root(qubit)] = root(first)
    found: dict[Any, list[int]] = {}
    for index, qubit in enumerate(circuit.qubits):
        if qubit in parent:
            found.setdefault(root(qubit), []).append(index)
    return [tuple(part) for part in found.values()]


def packed(parts: Sequence[tuple[int, ...]], width: int = SMALL_QUBITS) -> list[tuple[int, ...]]:
    """The same qubits in fewer parts: small ones share, up to ``width`` qubits together, first fit.

    >>> packed([(0,), (1, 2, 3), (4,), (5,)], width=3)
    [(1, 2, 3), (0, 4, 5)]
    """
    bins: list[list[int]] = []
    for part in sorted(parts, key=len, reverse=True):
        room = next((one for one in bins if len(one) + len(part) <= width), None)
        if room is None:
            bins.append(list(part))
        else:
            room.extend(part)
    return [tuple(sorted(one)) for one in bins]


def part_of(circuit: QuantumCircuit, qubits: Sequence[int]) -> QuantumCircuit:
    """The gates on these qubits, renumbered from 0; none of them may reach any other qubit."""
    from qiskit import QuantumCircuit

    empty = QuantumCircuit(len(qubits))
    place = {circuit.qubits[qubit]: empty.qubits[index] for index, qubit in enumerate(qubits)}
    own = [
        instruction.replace(qubits=[place[qubit] for qubit in instruction.qubits])
        for instruction in circuit.data
        if instruction.name != "barrier" and instruction.qubits[0] in place
    ]
    return rebuilt(empty, own)
