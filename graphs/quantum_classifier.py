"""A quantum-kernel classifier for features of any kind: fit once on labelled examples, then use in a pipeline.

classifier = QuantumClassifier.fit(embeddings, labels)
project = ht.from_qiskit(feature_circuit(), observables=observables())     # of hetero.graphs.quantum_features
...
classes = classifier.predict(project(classifier.angles(new_embeddings)))   # its two methods are the nodes' bodies
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hetero.errors import ArgumentError
from hetero.graphs.kernels import fit_svm, gaussian, squared_distances
from hetero.graphs.quantum_features import QUBITS, AngleMap, feature_circuit, observables

__all__ = ["QuantumClassifier"]


@dataclass(frozen=True, slots=True, eq=False)
class QuantumClassifier:
    """A support vector machine on the projected quantum kernel, and what it remembers of its examples."""

    angles: AngleMap
    """Features (..., width) to angles in radians (..., qubits): call it before the circuit."""
    examples: NDArray[np.float64]
    """Expectation values of the examples, (examples, 3 x qubits)."""
    machine: Any
    gamma: float

    @classmethod
    def fit(
        cls, features: ArrayLike, labels: ArrayLike, qubits: int = QUBITS, *, standardise: bool = False
    ) -> QuantumClassifier:
        """Fit to features (examples, width) and their labels; the circuits run on the exact reference.

        Raises:
            ArgumentError: fewer than two classes, or a class with fewer than three examples.
            MissingExtraError: qiskit is not installed.
        """
        from hetero.ops.circuit import CircuitOp

        classes = np.asarray(labels)
        names, sizes = np.unique(classes, return_counts=True)
        if len(names) < 2 or sizes.min() < 3:
            found = ", ".join(f"{name}: {size}" for name, size in zip(names, sizes, strict=True))
            raise ArgumentError(
                f"at least two classes of three examples each are needed; found {found or 'none'}"
            )
        to_angles = AngleMap.fit(features, qubits, standardise=standardise)
        project = CircuitOp.from_circuit(feature_circuit(qubits), observables(qubits)).load()
        (examples,) = project(to_angles(features))
        machine, gamma = fit_svm(squared_distances(examples, examples), classes)
        return cls(to_angles, examples, machine, gamma)

    def predict(self, expectations: ArrayLike) -> NDArray[Any]:
        """The class of each row of expectation values (samples, 3 x qubits) that the circuit gave."""
        rows = np.asarray(expectations, np.float64).reshape(-1, self.examples.shape[1])
        if not len(rows):
            return self.machine.classes_[:0]  # type: ignore[no-any-return]
        kernel = gaussian(squared_distances(rows, self.examples), self.gamma)
        return self.machine.predict(kernel)  # type: ignore[no-any-return]
