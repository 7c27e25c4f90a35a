"""Kernel matrices: the overlap of every pair of states, from one state a point."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.circuit.library import zz_feature_map

from hetero.backends import statevector
from hetero.errors import ArgumentError, InfeasibleError
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_overlap import CircuitOverlapOp
from hetero.quantum import kernel_matrix

POINTS = np.random.default_rng(0).normal(size=(11, 3))


def test_every_pair_has_the_overlap_of_its_states() -> None:
    """A feature map of three qubits, eleven points against five others: as Qiskit's state vectors say."""
    circuit = zz_feature_map(3, reps=2)
    op = CircuitOverlapOp.of(CircuitOp.from_circuit(circuit, observables="III"))
    (expected,) = op.load()(POINTS, POINTS[:5])
    assert kernel_matrix(circuit, POINTS, POINTS[:5]) == pytest.approx(expected, abs=1e-12)


def test_points_against_themselves_are_a_kernel() -> None:
    """Ones on the diagonal, symmetric, no negative eigenvalue; measurements at the end change nothing."""
    circuit = zz_feature_map(3, reps=1)
    circuit.measure_all()
    matrix = kernel_matrix(circuit, POINTS)
    assert np.diag(matrix) == pytest.approx(1.0)
    assert matrix == pytest.approx(matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > -1e-9


def test_states_that_do_not_fit_at_once_are_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """In chunks of eight states the matrix is the same."""
    circuit = zz_feature_map(3, reps=2, name="in parts")
    circuit.rx(0.1, 0)
    whole = kernel_matrix(circuit, POINTS)
    monkeypatch.setattr(statevector, "CHUNK_AMPLITUDES", 64)
    circuit.rx(0.0, 0)  # another circuit, compiled anew
    assert kernel_matrix(circuit, POINTS) == pytest.approx(whole, abs=1e-12)


def test_what_cannot_be_compared_is_told() -> None:
    """Too many qubits, and the wrong number of features."""
    with pytest.raises(InfeasibleError, match="at most 16 qubits, the circuit has 17"):
        kernel_matrix(zz_feature_map(17, reps=1), np.zeros((2, 17)))
    with pytest.raises(ArgumentError, match=r"expected \(..., 3\)"):
        kernel_matrix(zz_feature_map(3), np.zeros((2, 4)))
    with pytest.raises(ArgumentError, match="not a finite number"):
        kernel_matrix(zz_feature_map(2), [[0.0, np.inf]])
