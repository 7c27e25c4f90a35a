"""Classifies a small table of measurements by a quantum kernel, and by the classical one beside it.

Loading this module loads no engine and needs no extra; `build` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hetero.errors import ArgumentError
from hetero.graphs.extras import require
from hetero.graphs.input_files import files_at
from hetero.graphs.tables import SUFFIXES, read_table

if TYPE_CHECKING:
    from pathlib import Path

    from hetero.tracing import Pipeline

__all__ = [
    "FOLDS",
    "NAME",
    "SUFFIXES",
    "SUMMARY",
    "Comparison",
    "build",
    "inputs",
    "require_classes",
    "sample",
    "show",
]

NAME = "quantum_kernel"
SUMMARY = "Classifies measurements by a projected quantum kernel of 8 qubits, beside the classical RBF kernel"

SAMPLES = 120

FOLDS = 5
"""Each sample is predicted by a model of the other folds, so each class needs a sample in each of them."""


class Comparison(NamedTuple):
    """Both kernels on the same samples, folds and angles. Each sample is predicted once, by a model without it.

    ``p_value`` is that of McNemar's exact test: how likely a difference this large is between equally good kernels.
    """

    samples: int
    quantum_right: int
    classical_right: int
    p_value: float

    @property
    def winner(self) -> str:
        """``quantum``, ``classical`` or ``neither``: whichever is right more often, by more than chance (5%)."""
        if self.p_value >= 0.05:
            return "neither"
        return "quantum" if self.quantum_right > self.classical_right else "classical"


@cache
def build() -> Pipeline:
    """The pipeline: features (samples, any width) and labels of two or more classes, to a `Comparison`.

    Raises `MissingExtraError` where scikit-learn or qiskit is missing.
    """
    require(NAME, "sklearn")
    from hetero.graphs.quantum_kernel_pipeline import kernel_pipeline

    return kernel_pipeline()


def sample() -> tuple[NDArray[np.float64], NDArray[Any]]:
    """120 of the 569 tumours of the Wisconsin breast cancer data (30 measurements; 0 malignant, 1 benign)."""
    require(NAME, "sklearn")
    from sklearn.datasets import load_breast_cancer

    features, labels = load_breast_cancer(return_X_y=True)
    chosen = np.random.default_rng(0).permutation(len(labels))[:SAMPLES]
    return features[chosen], labels[chosen]


def inputs(path: str | Path) -> Iterator[tuple[NDArray[np.float64], NDArray[Any]]]:
    """A CSV file, or every one in a folder: numbers, the class in the last column, a header if there is one.

    Raises:
        ArgumentError: a table cannot be read, or has too few classes or samples; names the file.
    """
    for file in files_at(path, SUFFIXES):
        features, labels = read_table(file)
        require_classes(labels, f"{file}: ")
        yield features, labels


def require_classes(labels: NDArray[Any], whose: str = "") -> None:
    """Raise ArgumentError where there are fewer than two classes, or a class is too small for the folds.

    >>> require_classes(np.array(["cat"] * 5 + ["dog"] * 3))
    Traceback (most recent call last):
    hetero.errors.ArgumentError: at least two classes of 5 samples each are needed; found cat: 5, dog: 3
    """
    classes, sizes = np.unique(labels, return_counts=True)
    if len(classes) < 2 or sizes.min() < FOLDS:
        found = ", ".join(f"{label}: {size}" for label, size in zip(classes, sizes, strict=True))
        raise ArgumentError(f"{whose}at least two classes of {FOLDS} samples each are needed; found {found}")


def show(result: Comparison) -> str:
    """Who was right how often, and whether that is more than chance.

    >>> print(show(Comparison(120, 114, 115, 1.0)))
    projected quantum kernel  114 of 120 right  (95.0%)
    classical RBF kernel      115 of 120 right  (95.8%)
    neither wins: a difference this large is chance with p = 1.00 (McNemar's exact test)
    """
    rows = (
        ("projected quantum kernel", result.quantum_right),
        ("classical RBF kernel", result.classical_right),
    )
    lines = [f"{name:<25} {n} of {result.samples} right  ({n / result.samples:.1%})" for name, n in rows]
    verdict = f"{result.winner} wins" if result.winner == "neither" else f"the {result.winner} kernel wins"
    chance = f"a difference this large is chance with p = {result.p_value:.2f} (McNemar's exact test)"
    return "\n".join([*lines, f"{verdict}: {chance}"])
