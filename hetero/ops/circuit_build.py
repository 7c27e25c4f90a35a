"""Go through a circuit's instructions, and make circuits of them, at a microsecond each.

Qiskit keeps standard gates as small values and makes a Python object of one whenever ``instruction.operation`` is read:
20 microseconds, where ``instruction.name`` and ``instruction.params`` take less than one. Assigning ``circuit.data``
checks every instruction as if a person had written it: 60 microseconds, where these come out of a checked circuit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["blocks_of", "places", "rebuilt"]


def rebuilt(circuit: QuantumCircuit, instructions: Iterable[Any]) -> QuantumCircuit:
    """The circuit's bits, registers and global phase with other instructions, which are on its own bits."""
    own = circuit.copy_empty_like()
    own._data.extend(list(instructions))
    return own


def places(circuit: QuantumCircuit) -> Mapping[Any, int]:
    """The number of each qubit."""
    return {qubit: index for index, qubit in enumerate(circuit.qubits)}


def blocks_of(instruction: Any) -> tuple[QuantumCircuit, ...]:
    """The circuits inside control flow; none in a gate."""
    return () if instruction.is_standard_gate() else tuple(getattr(instruction.operation, "blocks", ()))
