"""The right answers of wide Clifford circuits: a stabilizer tableau is as exact as a state vector, and small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hetero.ops.circuit_features import CLIFFORD_GATES
from hetero.ops.counts import tally

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import SparsePauliOp

__all__ = ["draw_from_tableau", "prefers_tableau", "tableau_expectations"]

WIDE = 16
"""Up to here a state vector takes milliseconds, and is the plainer reference."""


def prefers_tableau(circuit: QuantumCircuit) -> bool:
    """Whether a circuit without mid-circuit measurement is wide and of Clifford gates only."""
    return circuit.num_qubits > WIDE and CLIFFORD_GATES.issuperset(circuit.count_ops())


def tableau_expectations(unitary: QuantumCircuit, observables: Sequence[SparsePauliOp]) -> list[float]:
    """<psi| O |psi>: of each Pauli string it is 1, -1 or 0."""
    from qiskit.quantum_info import StabilizerState

    state = StabilizerState(unitary)
    return [float(np.real(state.expectation_value(observable))) for observable in observables]


def draw_from_tableau(
    unitary: QuantumCircuit, final: Mapping[int, int], shots: int, rng: np.random.Generator
) -> dict[int, int]:
    """Counts of the classical bits, ``final`` being classical bit -> qubit.

    A stabilizer state is an equal superposition of the basis states b0 + span(X parts of its stabilizers) over
    the field of two elements (Aaronson and Gottesman, Physical Review A 70, 052328, 2004): one measured outcome
    b0 and random sums of those rows are independent samples.
    """
    from qiskit.quantum_info import StabilizerState

    state = StabilizerState(unitary)
    state.seed(int(rng.integers(2**31)))
    outcome, _ = state.measure()
    start = np.array([bit == "1" for bit in reversed(outcome)])
    sums = rng.integers(0, 2, (shots, unitary.num_qubits), np.int32) @ state.clifford.stab_x.astype(np.int32)
    samples = (sums + start) & 1
    clbits = sorted(final)
    return tally(samples[:, [final[c] for c in clbits]], clbits)
