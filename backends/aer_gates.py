"""Which gates Aer takes by which method, and a circuit in those.

Translating to lists of names costs 2 ms where translating to Aer's own target costs 40 to 250 ms, and nothing where
a circuit has no other gates: Aer fuses gates by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["translated"]

NOT_GATES = ("measure", "reset", "barrier", "if_else")

_ONE_QUBIT = ("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "rz", "p", "u", "r")

WHILE_RUNNING = (*_ONE_QUBIT, *("cx", "cy", "cz", "swap", "ccx", "cswap", "rxx", "ryy", "rzz", "rzx"))
"""Where Aer binds parameters while it runs. Controlled rotations (cp, crx, ...) are left out: Aer 0.18 binds theirs
wrongly, silently (Qiskit/qiskit-aer issues 2391 and 2403)."""

_GATES = {
    "statevector": (
        *WHILE_RUNNING,
        *("cp", "crx", "cry", "crz", "csx", "cu", "ccz", "ecr", "mcp", "mcx", "unitary"),
    ),
    "matrix_product_state": (*WHILE_RUNNING, "cp", "csx", "ecr", "unitary"),
    "density_matrix": (*WHILE_RUNNING, "cp", "ecr", "unitary"),
    "stabilizer": ("id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "cx", "cy", "cz", "swap", "ecr"),
}


_NO_TARGET = ("barrier", "mcp", "mcx", "unitary")
"""Aer takes these, but Qiskit's transpiler does not translate to them."""


def translated(circuit: QuantumCircuit, method: str) -> QuantumCircuit:
    """The circuit in gates that the method takes: itself where it has no other.

    Raises:
        QiskitError: a gate cannot be translated.
    """
    from qiskit import transpile

    gates = _GATES[method] if method == "stabilizer" or not circuit.num_parameters else WHILE_RUNNING
    if not circuit.num_parameters and set(_names(circuit)).issubset((*gates, *NOT_GATES)):
        return circuit.copy()
    basis = [name for name in (*gates, *NOT_GATES) if name not in _NO_TARGET]
    return transpile(circuit, basis_gates=basis, optimization_level=1, seed_transpiler=0)


def _names(circuit: QuantumCircuit) -> Iterator[str]:
    """Names of all operations, those inside control flow too. An open control (on 0) is no plain gate."""
    for instruction in circuit.data:
        operation = instruction.operation
        controls = getattr(operation, "num_ctrl_qubits", 0) or 0
        closed = not controls or getattr(operation, "ctrl_state", None) == (1 << controls) - 1
        yield operation.name if closed else f"{operation.name} with an open control"
        for block in getattr(operation, "blocks", ()):
            yield from _names(block)
