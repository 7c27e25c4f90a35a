"""Drop diagonal gates right before the measurement of all qubits that they touch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hetero.ops.circuit_build import rebuilt

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["DIAGONAL", "without_last_diagonals"]

DIAGONAL = frozenset("id z s sdg t tdg p rz u1 cz cp cu1 crz cs csdg ccz rzz mcp mcphase".split())  # noqa: SIM905
"""Standard gates whose matrix is diagonal whatever their angles, control states included."""


def without_last_diagonals(circuit: QuantumCircuit) -> QuantumCircuit:
    """A unitary circuit that gives every basis state the same probability as before.

    A diagonal gate changes phases only, so one after which nothing but other diagonal gates follow on its qubits cannot
    be seen by a measurement in the computational basis. Right for counts, wrong for expectation values of X and Y.

    >>> from qiskit import QuantumCircuit
    >>> circuit = QuantumCircuit(2)
    >>> _ = circuit.t(0), circuit.h([0, 1]), circuit.cz(0, 1), circuit.rz(0.3, 1)
    >>> [i.operation.name for i in without_last_diagonals(circuit).data]
    ['t', 'h', 'h']
    """
    busy: set[Any] = set()
    kept = []
    for instruction in reversed(circuit.data):
        if instruction.name == "barrier":
            continue
        if instruction.name in DIAGONAL and not busy.intersection(instruction.qubits):
            continue
        busy.update(instruction.qubits)
        kept.append(instruction)
    return rebuilt(circuit, kept[::-1])
