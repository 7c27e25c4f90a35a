"""Follow the qubits that are still plain 0 or 1, and replace what gates do to them by what it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hetero.ops.circuit_build import rebuilt
from hetero.rewrite.gate_axes import DIAGONAL

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["with_known_bits"]


def with_known_bits(circuit: QuantumCircuit) -> QuantumCircuit:
    """A unitary circuit that makes the same state from |0...0>, up to a global phase, with fewer gates.

    A control that is known to be 0 takes its gate away, one known to be 1 leaves the gate without that control; a
    diagonal gate on known bits is a phase. The Fourier transform of a basis state becomes one layer of single gates.

    >>> from qiskit import QuantumCircuit
    >>> circuit = QuantumCircuit(3)
    >>> _ = circuit.h(0), circuit.x(1), circuit.cp(0.3, 2, 0), circuit.cp(0.5, 1, 0), circuit.swap(1, 2)
    >>> [(i.operation.name, circuit.find_bit(i.qubits[-1]).index) for i in with_known_bits(circuit).data]
    [('h', 0), ('p', 0), ('x', 2)]
    """
    from qiskit.circuit import CircuitInstruction
    from qiskit.circuit.library import XGate

    known: dict[Any, int] = dict.fromkeys(circuit.qubits, 0)
    kept: list[CircuitInstruction] = []

    def settle(qubits: Sequence[Any]) -> None:
        """These qubits are about to be anything: those that are 1 become so by a gate."""
        ones = [qubit for qubit in qubits if known.pop(qubit, 0)]
        kept.extend(CircuitInstruction(XGate(), (qubit,)) for qubit in ones)

    for instruction in circuit.data:
        if instruction.name == "barrier":
            continue
        if known.keys().isdisjoint(instruction.qubits):
            kept.append(instruction)
            continue
        before = instruction.operation
        operation, qubits = _without_known_controls(before, list(instruction.qubits), known)
        if operation is None:
            continue
        values = [known.get(qubit) for qubit in qubits]
        if operation.name in DIAGONAL and None not in values:
            continue
        if operation.name == "x" and values[0] is not None:
            known[qubits[0]] = 1 - values[0]
        elif operation.name == "swap" and None not in values:
            known[qubits[0]], known[qubits[1]] = known[qubits[1]], known[qubits[0]]
        else:
            settle(qubits)
            same = operation is before
            kept.append(instruction if same else CircuitInstruction(operation, tuple(qubits)))
    settle(circuit.qubits)
    return rebuilt(circuit, kept)


def _without_known_controls(
    operation: Any, qubits: list[Any], known: dict[Any, int]
) -> tuple[Any, list[Any]]:
    """The gate on the qubits that matter, or None where a control keeps it from happening."""
    while controls := getattr(operation, "num_ctrl_qubits", 0):
        # Symmetric gates may use any of their qubits as control.
        symmetric = operation.name in ("cz", "cp", "ccz", "mcp", "mcphase") and _closed(operation)
        places = range(len(qubits)) if symmetric else range(controls)
        place = next((i for i in places if qubits[i] in known), None)
        if place is None:
            break
        wanted = 1 if symmetric else operation.ctrl_state >> place & 1
        if known[qubits[place]] != wanted:
            return None, []
        if controls > 1 and not _closed(operation):
            break  # Taking one of several controls away needs them all closed, or a new control state.
        if symmetric:  # bring the known qubit to the front: the order of the others does not matter
            qubits = [qubits[place], *qubits[:place], *qubits[place + 1 :]]
            place = 0
        fewer = operation.base_gate
        if controls > 1:
            fewer = fewer.control(controls - 1, annotated=False)
        operation, qubits = fewer, [*qubits[:place], *qubits[place + 1 :]]
    return operation, qubits


def _closed(operation: Any) -> bool:
    return bool(operation.ctrl_state == (1 << operation.num_ctrl_qubits) - 1)
