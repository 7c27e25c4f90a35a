"""Which gates Aer takes by which method, and a circuit in those.

Translating to lists of names costs 2 ms where translating to Aer's own target costs 40 to 250 ms, and nothing where
a circuit has no other gates: Aer fuses gates by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hetero.ops.circuit_build import blocks_of

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["translated"]

DEEPEST = 12
"""Gates within gates are replaced so far by what they are made of; what is then left goes to the transpiler."""

NOT_GATES = ("measure", "reset", "barrier", "if_else")

_ONE_QUBIT = ("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "rz", "p", "u", "r")

WHILE_RUNNING = (*_ONE_QUBIT, *("cx", "cy", "cz", "swap", "ccx", "cswap", "rxx", "ryy", "rzz", "rzx"))
"""Where Aer binds parameters while it runs. Controlled rotations (cp, crx, ...) are left out: Aer 0.18 binds theirs
wrongly, silently (Qiskit/qiskit-aer issues 2391 and 2403)."""

_GATES = {
    "statevector": (
        *WHILE_RUNNING,
        *(
            "cp",
            "crx",
            "cry",
            "crz",
            "csx",
            "cu",
            "ccz",
            "ecr",
            "mcp",
            "mcphase",
            "mcx",
            "mcx_gray",
            "unitary",
        ),
    ),
    "matrix_product_state": (*WHILE_RUNNING, "cp", "csx", "ecr", "unitary"),
    "density_matrix": (*WHILE_RUNNING, "cp", "ecr", "unitary"),
    "stabilizer": ("id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "cx", "cy", "cz", "swap", "ecr"),
}


_NO_TARGET = ("barrier", "mcp", "mcphase", "mcx", "mcx_gray", "unitary")
"""Aer takes these, but Qiskit's transpiler does not translate to them."""


def translated(circuit: QuantumCircuit, method: str) -> QuantumCircuit:
    """The circuit in gates that the method takes: itself where it has no other.

    Raises:
        QiskitError: a gate cannot be translated.
    """
    from qiskit import transpile

    bound = method == "stabilizer" or not circuit.num_parameters
    gates = _GATES[method] if bound else WHILE_RUNNING
    if bound:
        own = circuit.copy()
        for _ in range(DEEPEST):
            foreign = set(_names(own)).difference(gates, NOT_GATES)
            if not foreign:
                return own
            if any(map(blocks_of, own.data)):
                break  # `decompose` does not look into branches
            # Only what Aer does not take: it has a pass of its own for a gate with many controls, which the transpiler
            # would turn into thousands of gates.
            own = own.decompose(gates_to_decompose=sorted(foreign))
    basis = [name for name in (*gates, *NOT_GATES) if name not in _NO_TARGET]
    return transpile(circuit, basis_gates=basis, optimization_level=1, seed_transpiler=0)


def _names(circuit: QuantumCircuit) -> Iterator[str]:
    """Names of all operations, those inside control flow too. (A control on 0 shows in the name: ``cx_o0``.)"""
    for instruction in circuit.data:
        yield instruction.name
        for block in blocks_of(instruction):
            yield from _names(block)
