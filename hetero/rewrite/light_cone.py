"""Drop the gates that nothing asked for depends on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hetero.ops.circuit_build import rebuilt

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["light_cone"]


def light_cone(circuit: QuantumCircuit, asked: Iterable[int]) -> QuantumCircuit:
    """The gates of a unitary circuit that can change the reduced state of the ``asked`` qubits.

    Walked backwards: a gate on none of the qubits reached so far is a unitary on the rest, which a partial trace over
    the rest does not see (it cancels with its adjoint; Evenbly and Vidal, Physical Review B 79, 144108, 2009,
    doi:10.1103/PhysRevB.79.144108). Any other one reaches all of its qubits. Barriers go.

    >>> from qiskit import QuantumCircuit
    >>> circuit = QuantumCircuit(3)
    >>> _ = circuit.h(0), circuit.cx(0, 1), circuit.x(2), circuit.cx(1, 2)
    >>> [i.operation.name for i in light_cone(circuit, [0]).data]
    ['h', 'cx']
    """
    reached = {circuit.qubits[qubit] for qubit in asked}
    kept = []
    for instruction in reversed(circuit.data):
        if instruction.name != "barrier" and reached.intersection(instruction.qubits):
            reached.update(instruction.qubits)
            kept.append(instruction)
    return rebuilt(circuit, kept[::-1])
