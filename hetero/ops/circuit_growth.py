"""How large a circuit's decision diagram becomes: a dry run, gate by gate, that stops at a limit.

Nothing cheaper tells milliseconds from hours: a diagram's size follows from the values of amplitudes, not from any
count of gates. Where the run ends, its cost is known; where it stops, no less than that cost is. The work is counted in
nodes, not in seconds, so that the answer is the same in (nearly) every run.
"""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hetero.ops.circuit_build import rebuilt
from hetero.ops.circuit_gates import in_gates
from hetero.ops.circuit_swaps import without_swaps

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["DIAGRAM_BASIS", "Growth", "diagram_form", "diagram_growth"]

DIAGRAM_BASIS = (
    *("id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "t", "tdg", "rx", "ry", "rz", "p"),
    *("cx", "cy", "cz", "ch", "cp", "crx", "cry", "crz", "csx", "swap", "iswap", "dcx", "ecr"),
    *("rxx", "ryy", "rzz", "rzx", "ccx", "cswap", "measure", "reset", "if_else"),
)
"""What circuits are translated to. MQT parses more, but crashes on some circuits with unitary gates."""

LIMIT_NODES = 100_000
"""Node visits of a dry run where nobody says otherwise: a few hundredths of a second."""

SLOW_VISIT_S = 20e-6
"""Ten times what a node visit takes: a dry run that is slower than this stops as well, whatever its nodes say."""

SMALL_NODES, CHECK_EVERY_GATES = 256, 4
"""Counting the nodes costs as much as a gate, so a diagram of up to 256 is counted after every fourth."""


@dataclass(frozen=True, slots=True)
class Growth:
    """``visits``: the sum over gates of the diagram's nodes; ``nodes``: how many it had last; ``done`` of ``gates``."""

    visits: int
    nodes: int
    done: int
    gates: int

    @property
    def complete(self) -> bool:
        return self.done >= self.gates


def diagram_form(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit in gates of `DIAGRAM_BASIS`: itself where it has no other.

    Raises:
        QiskitError: a gate cannot be translated.
    """
    from qiskit import transpile

    found = in_gates(circuit, (*DIAGRAM_BASIS, "barrier"))
    if found is not None:
        return found
    basis = list(DIAGRAM_BASIS)
    return transpile(circuit, basis_gates=basis, optimization_level=1, seed_transpiler=0)


def diagram_growth(circuit: QuantumCircuit, limit_nodes: int = LIMIT_NODES) -> Growth | None:
    """Run the circuit's gates on |0...0> until they end or ``limit_nodes`` visits are spent.

    Parameters without values get generic ones; measurements, resets and branches are skipped, swaps followed. None
    where mqt.core is not installed, or cannot read the circuit.
    """
    if importlib.util.find_spec("mqt") is None or importlib.util.find_spec("mqt.core") is None:
        return None
    from mqt.core import load
    from mqt.core.dd import DDPackage
    from qiskit.exceptions import QiskitError

    try:
        computation = load(_gates_only(diagram_form(without_swaps(circuit)[0])))
    except (QiskitError, RuntimeError, ValueError, TypeError, NotImplementedError):
        return None
    package = DDPackage(circuit.num_qubits)
    state = package.zero_state(circuit.num_qubits)
    until = time.perf_counter() + SLOW_VISIT_S * limit_nodes
    visits, done, nodes, gates = 0, 0, circuit.num_qubits + 1, len(computation)
    for done, operation in enumerate(computation, 1):  # how far it came is the answer
        state = package.apply_unitary_operation(state, operation)
        if nodes > SMALL_NODES or done % CHECK_EVERY_GATES == 0 or done == gates:
            nodes = state.size()
        visits += nodes
        if visits > limit_nodes or time.perf_counter() > until:
            break
    return Growth(visits, nodes, done, gates)


def _gates_only(circuit: QuantumCircuit) -> QuantumCircuit:
    """Without what is no gate, and with a value for every parameter."""
    from qiskit import QuantumCircuit

    empty = QuantumCircuit(circuit.num_qubits)
    place = dict(zip(circuit.qubits, empty.qubits, strict=True))
    bare = rebuilt(
        empty,
        (
            instruction.replace(qubits=[place[qubit] for qubit in instruction.qubits], clbits=())
            for instruction in circuit.data
            if instruction.name not in ("measure", "reset", "barrier", "if_else")
        ),
    )
    generic = np.random.default_rng(0).uniform(0.1, 3.0, bare.num_parameters)
    return bare.assign_parameters(generic)
