"""Which gates Aer takes by which method, and a circuit in those.

Translating to lists of names costs 2 ms where translating to Aer's own target costs 40 to 250 ms, and nothing where
a circuit has no other gates: Aer fuses gates by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hetero.ops.circuit_gates import in_gates, names_of
from hetero.ops.circuit_loops import LEAVING, LOOPS

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["translated"]

NOT_GATES = ("measure", "reset", "barrier", "if_else", *LOOPS)

_ONE_QUBIT = ("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "rz", "p", "u", "r")

WHILE_RUNNING = (*_ONE_QUBIT, *("cx", "cy", "cz", "swap", "ccx", "cswap", "rxx", "ryy", "rzz", "rzx"))
"""Where Aer binds parameters while it runs. Controlled rotations (cp, crx, ...) are left out: Aer 0.18 binds theirs
wrongly, silently (Qiskit/qiskit-aer issues 2391 and 2403)."""

_GATES = {
    "statevector": (
        *(*WHILE_RUNNING, "cp", "crx", "cry", "crz", "csx", "cu", "ccz", "ecr"),
        *("mcp", "mcphase", "mcx", "mcx_gray", "unitary"),
    ),
    "matrix_product_state": (*WHILE_RUNNING, "cp", "csx", "ecr", "unitary"),
    "density_matrix": (*WHILE_RUNNING, "cp", "ecr", "unitary"),
    "stabilizer": ("id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "cx", "cy", "cz", "swap", "ecr"),
}

_NO_TARGET = ("barrier", "mcp", "mcphase", "mcx", "mcx_gray", "unitary", *LEAVING)
"""Aer takes these, but Qiskit's transpiler does not translate to them."""


def translated(circuit: QuantumCircuit, method: str) -> QuantumCircuit:
    """The circuit in gates that the method takes: itself where it has no other.

    Raises:
        QiskitError: a gate cannot be translated.
    """
    from qiskit import transpile

    bound = method == "stabilizer" or not circuit.num_parameters
    gates = _GATES[method] if bound else WHILE_RUNNING
    if bound or not set(LEAVING).isdisjoint(names_of(circuit)):  # the transpiler knows no way out of a loop
        found = in_gates(circuit, (*gates, *NOT_GATES))
        if found is not None:
            return found.copy()  # what is saved at the end is added to it
    basis = [name for name in (*gates, *NOT_GATES) if name not in _NO_TARGET]
    return transpile(circuit, basis_gates=basis, optimization_level=1, seed_transpiler=0)
