"""The nodes of the `quantum_kernel` pipeline, and how they are joined."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hetero as ht
from hetero.graphs.kernels import fit_svm, gaussian, squared_distances
from hetero.graphs.quantum_features import AngleMap, feature_circuit, observables
from hetero.graphs.quantum_kernel import FOLDS, NAME, Comparison, require_classes
from hetero.tracing import Pipeline

__all__ = ["angles", "classify", "compare", "distances", "kernel_pipeline"]


def kernel_pipeline() -> Pipeline:
    """The circuit built and the nodes joined: `hetero.graphs.quantum_kernel.build` is the way in."""
    project = ht.from_qiskit(feature_circuit(), observables=observables(), name="project")

    @ht.pipeline(name=NAME)
    def quantum_kernel(features: Any, labels: Any) -> Any:
        turned = angles(features, labels)
        quantum = classify(distances(project(turned)), labels)
        classical = classify(distances(turned), labels)
        return compare(quantum, classical, labels)

    return quantum_kernel


@ht.node
def angles(features: NDArray[np.float64], labels: NDArray[Any]) -> NDArray[np.float64]:
    """Angles in radians (folds, samples, qubits): scaled and projected as each fold's training samples say.

    Fitting on all samples would let the tested ones leak into the features: so the circuit runs once a fold for each.
    """
    return np.stack([AngleMap.fit(features[train])(features) for train, _ in _folds(labels)])


@ht.node
def distances(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances (folds, samples, samples) of points (folds, samples, dimensions)."""
    return squared_distances(points, points)


@ht.node
def classify(squared: NDArray[np.float64], labels: NDArray[Any]) -> NDArray[Any]:
    """Each sample's predicted label, by a support vector machine fitted without its fold."""
    predicted = np.empty_like(labels)
    for own, (train, test) in zip(squared, _folds(labels), strict=True):
        machine, gamma = fit_svm(own[np.ix_(train, train)], labels[train])
        predicted[test] = machine.predict(gaussian(own[np.ix_(test, train)], gamma))
    return predicted


@ht.node
def compare(quantum: NDArray[Any], classical: NDArray[Any], labels: NDArray[Any]) -> Comparison:
    """Count right answers. McNemar's exact test looks at the samples where one is right and the other wrong."""
    from scipy.stats import binomtest

    q, c = quantum == labels, classical == labels
    only_quantum, only_classical = int((q & ~c).sum()), int((c & ~q).sum())
    differing = only_quantum + only_classical
    p_value = float(binomtest(only_quantum, differing).pvalue) if differing else 1.0
    return Comparison(len(labels), int(q.sum()), int(c.sum()), p_value)


def _folds(labels: NDArray[Any]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(training, test) indices, the classes spread evenly; the same folds for every node that asks."""
    from sklearn.model_selection import StratifiedKFold

    require_classes(labels)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    yield from folds.split(np.zeros(len(labels)), labels)
