"""Random circuits for the tests of the quantum package, by hypothesis: every gate of Qiskit's that people write."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

EXAMPLES = int(os.environ.get("HETERO_QUANTUM_EXAMPLES", "60"))
"""Random circuits of each comparison. HETERO_QUANTUM_EXAMPLES=500 is the number that the documents quote."""

ONE = ("h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg", "id")
TURNS = ("rx", "ry", "rz", "p")
TWO = ("cx", "cy", "cz", "ch", "swap", "iswap", "dcx", "ecr", "csx")
TWO_TURNS = ("cp", "crx", "cry", "crz", "rxx", "ryy", "rzz", "rzx")
THREE = ("ccx", "cswap", "ccz")

ANGLES = st.one_of(
    st.sampled_from([0.0, 0.5, 1.0, 3.141592653589793, -1.5707963267948966]),
    st.floats(-7, 7).map(lambda x: round(x, 3)),
)


@st.composite
def circuits(
    draw: Any, most_qubits: int = 5, most_gates: int = 14, parameters: bool = False
) -> QuantumCircuit:
    """A unitary circuit; with ``parameters`` some angles are expressions of up to two of them."""
    n = draw(st.integers(1, most_qubits))
    circuit = QuantumCircuit(n)
    names = [Parameter("a"), Parameter("b")] if parameters else []
    for _ in range(draw(st.integers(0, most_gates))):
        width = draw(st.integers(1, min(3, n)))
        qubits = draw(st.permutations(range(n)))[:width]
        turns = {1: TURNS, 2: TWO_TURNS, 3: ()}[width]
        fixed = {1: ONE, 2: TWO, 3: THREE}[width]
        name = draw(st.sampled_from([*fixed, *turns]))
        if name in turns:
            angle: Any = draw(ANGLES)
            if names and draw(st.booleans()):
                angle = angle + draw(st.sampled_from([1, 2])) * draw(st.sampled_from(names))
            getattr(circuit, name)(angle, *qubits)
        else:
            getattr(circuit, name)(*qubits)
    return circuit


@st.composite
def measured_circuits(draw: Any, **options: Any) -> QuantumCircuit:
    """The same, some or all qubits measured at the end into two registers, in any order."""
    bare = draw(circuits(**options))
    n = bare.num_qubits
    low = draw(st.integers(0, n))
    registers = [ClassicalRegister(size, name) for size, name in ((low, "low"), (n - low, "high")) if size]
    circuit = QuantumCircuit(QuantumRegister(n, "q"), *registers)
    circuit.compose(bare, range(n), inplace=True)
    order = draw(st.permutations(range(n)))
    count = draw(st.integers(1, n))
    circuit.measure(order[:count], range(count))
    return circuit
