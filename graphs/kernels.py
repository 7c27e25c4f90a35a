"""Gaussian kernels on any features, and support vector machines chosen by cross-validation on them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["GAMMAS", "fit_svm", "gaussian", "median_squared_distance", "squared_distances"]

GAMMAS = (0.3, 1.0, 3.0)
"""Widths to choose from, in units of one over the median squared distance of the training samples."""

PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""Values of the support vector machine's C to choose from."""


def squared_distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Between the rows of a and of b: (..., n, d) and (..., m, d) to (..., n, m).

    >>> squared_distances(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 0.0]]))
    array([[ 0.],
           [25.]])
    """
    lengths = (a**2).sum(-1)[..., :, None] + (b**2).sum(-1)[..., None, :]
    squared: NDArray[np.float64] = np.maximum(lengths - 2 * a @ b.swapaxes(-1, -2), 0.0)
    return squared


def median_squared_distance(distances: NDArray[np.float64]) -> float:
    """Of different samples, from a square matrix of squared distances; 1 where they are all equal."""
    above = distances[np.triu_indices(len(distances), 1)]
    return float(np.median(above)) or 1.0


def gaussian(distances: NDArray[np.float64], gamma: float) -> NDArray[np.float64]:
    """exp(-gamma d^2): 1 for equal samples, towards 0 for far ones."""
    return np.exp(-gamma * distances)


def fit_svm(distances: NDArray[np.float64], labels: NDArray[Any]) -> tuple[Any, float]:
    """A support vector machine on the Gaussian kernel of squared distances (n, n), and the gamma it chose.

    C and gamma are chosen by three-fold cross-validation on these samples alone.
    """
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.svm import SVC

    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    typical = median_squared_distance(distances)
    best: tuple[float, Any, float] | None = None
    for factor in GAMMAS:
        search = GridSearchCV(SVC(kernel="precomputed"), {"C": list(PENALTIES)}, cv=folds)
        search.fit(gaussian(distances, factor / typical), labels)
        if best is None or search.best_score_ > best[0]:
            best = (search.best_score_, search.best_estimator_, factor / typical)
    assert best is not None
    return best[1], best[2]
