"""Quantum features of data: eight angles a sample, a circuit that entangles them, what is measured of it.

A projected quantum kernel compares samples by the Bloch vectors of their qubits instead of by the overlap of their
states: n circuits instead of n^2 (Huang et al., Nature Communications 12, 2631, 2021,
DOI 10.1038/s41467-021-22539-9). Nothing here knows what the data is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hetero.errors import ArgumentError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["QUBITS", "AngleMap", "feature_circuit", "observables"]

QUBITS = 8
LAYERS = 2

RADIANS_PER_DEVIATION = np.pi / 10
"""How far one standard deviation turns a qubit. Small on purpose: with large angles all states become equally far
from each other and nothing generalises (Shaydulin and Wild, Physical Review A 106, 042407, 2022)."""

LIMIT_DEVIATIONS = 3.0
"""Outliers are clipped here, so that no angle wraps around."""


def feature_circuit(qubits: int = QUBITS) -> QuantumCircuit:
    """A circuit of ``qubits`` qubits with as many parameters ``x[0]``, ``x[1]``, ... (angles in radians).

    Two layers of rotations about y and z by the angles, and about zz of neighbours by their products: the
    interactions of a ZZ feature map (Havlicek et al., Nature 567, 209, 2019) on a line.
    """
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector

    x = ParameterVector("x", qubits)
    circuit = QuantumCircuit(qubits, name="features")
    for _ in range(LAYERS):
        for qubit in range(qubits):
            circuit.ry(x[qubit], qubit)
            circuit.rz(x[qubit], qubit)
        for qubit in range(qubits - 1):
            circuit.rzz(x[qubit] * x[qubit + 1], qubit, qubit + 1)
    return circuit


def observables(qubits: int = QUBITS) -> list[str]:
    """X, Y and Z of each qubit, 3 x ``qubits`` Pauli strings: all there is to know of the qubits one by one.

    >>> observables(2)
    ['IX', 'IY', 'IZ', 'XI', 'YI', 'ZI']
    """
    return ["I" * (qubits - 1 - q) + pauli + "I" * q for q in range(qubits) for pauli in "XYZ"]


@dataclass(frozen=True, slots=True, eq=False)
class AngleMap:
    """Features to angles: centred, scaled, projected on the directions in which the fitted data varies most."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    directions: NDArray[np.float64]
    """(features, qubits): principal directions, each divided by the deviation of the data along it."""

    @classmethod
    def fit(cls, features: ArrayLike, qubits: int = QUBITS, *, standardise: bool = True) -> AngleMap:
        """Fit to features of shape (samples, features).

        ``standardise`` gives each feature deviation 1 first: right for measurements in different units, wrong for
        embeddings, whose small coordinates are noise. Where the data varies in fewer directions than there are
        qubits, the other angles are 0.

        Raises:
            ArgumentError: not a table of finite numbers with at least two samples.
        """
        table = np.asarray(features, np.float64)
        if table.ndim != 2 or len(table) < 2 or not np.isfinite(table).all():
            raise ArgumentError(
                f"features must be a table of finite numbers, two rows or more, not {table.shape}"
            )
        mean, deviation = table.mean(0), table.std(0)
        scale = np.where(deviation > 0, deviation, 1.0) if standardise else np.ones_like(deviation)
        _, lengths, rows = np.linalg.svd((table - mean) / scale, full_matrices=False)
        deviations = lengths / np.sqrt(len(table))
        used = int((deviations[:qubits] > 1e-9 * max(deviations[0], 1e-300)).sum())
        directions = np.zeros((table.shape[1], qubits))
        # The sign of a principal direction is arbitrary: make its largest entry positive, so that runs agree.
        signs = np.sign(rows[np.arange(used), np.abs(rows[:used]).argmax(1)])
        directions[:, :used] = (rows[:used] * (signs / deviations[:used])[:, None]).T
        return cls(mean, scale, directions)

    def __call__(self, features: ArrayLike) -> NDArray[np.float64]:
        """Angles in radians, shape (..., qubits), of features of shape (..., features)."""
        deviations = (np.asarray(features, np.float64) - self.mean) / self.scale @ self.directions
        return RADIANS_PER_DEVIATION * np.clip(deviations, -LIMIT_DEVIATIONS, LIMIT_DEVIATIONS)
