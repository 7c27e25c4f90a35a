"""What "error" means: how far a pipeline's result is from the reference's, as one number that a limit can be set on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from hetero.cost.difference import largest_difference, relative_l2
from hetero.errors import ArgumentError, UnknownNameError
from hetero.ops.code import content
from hetero.values import digest_of

__all__ = ["METRICS", "RELATIVE", "Metric", "metric_of"]


@dataclass(frozen=True)
class Metric:
    """``difference(reference, found)`` of one result; over several samples the largest, or the mean.

    A share of what differs is a mean: one text of a hundred is 0.01.
    """

    name: str
    difference: Callable[[Any, Any], float]
    is_share: bool = False

    def over(self, differences: Sequence[float]) -> float:
        """The error over all samples.

        >>> RELATIVE.over([0.1, 0.2]), METRICS["exact"].over([0.0, 1.0])
        (0.2, 0.5)
        """
        if not differences:
            return 0.0
        return sum(differences) / len(differences) if self.is_share else max(differences)

    @property
    def of_nodes(self) -> bool:
        """Whether it is the difference that is also measured of each node by itself."""
        return self.difference is relative_l2

    @cached_property
    def digest(self) -> str:
        """What a verdict is filed under: a function by its content."""
        return self.name if self.name in METRICS else digest_of(self.name, content(self.difference))


def _largest_gap(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    return float(np.abs(a - b).max(initial=0.0))


def _cosine_distance(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    """1 - cosine, the largest over the vectors along the last axis."""
    if not a.size:
        return 0.0
    a, b = np.atleast_1d(a), np.atleast_1d(b)
    sizes = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    dot = np.real((a.conj() * b).sum(axis=-1))
    both_zero = (np.linalg.norm(a, axis=-1) == 0) & (np.linalg.norm(b, axis=-1) == 0)
    cosines = np.where(both_zero, 1.0, dot / np.where(sizes == 0, 1.0, sizes))
    return float(max(0.0, (1 - cosines).max()))


def _other_winners(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    """The share of rows whose largest entry is another one."""
    if not a.size:
        return 0.0
    a, b = np.atleast_1d(a), np.atleast_1d(b)
    return float((a.argmax(axis=-1) != b.argmax(axis=-1)).mean())


def _exact(reference: Any, found: Any) -> float:
    return 1.0 if math.isinf(largest_difference(reference, found, lambda a, b: 0.0)) else 0.0


RELATIVE = Metric("relative", relative_l2)
METRICS = {
    metric.name: metric
    for metric in (
        RELATIVE,
        Metric("max_abs", partial(largest_difference, of_arrays=_largest_gap)),
        Metric("cosine", partial(largest_difference, of_arrays=_cosine_distance)),
        Metric("top1", partial(largest_difference, of_arrays=_other_winners), is_share=True),
        Metric("exact", _exact, is_share=True),
    )
}
"""By name. ``relative``: ||found - reference|| / ||reference||; ``max_abs``: the largest difference of a number;
``cosine``: 1 - cosine of the vectors along the last axis; ``top1``: the share of rows along the last axis whose largest
entry is another; ``exact``: the share of results in which anything that is no float differs, whatever the floats do. In
all but ``exact`` a result that differs in anything else than floats is infinitely far."""


def metric_of(metric: str | Metric | Callable[[Any, Any], float]) -> Metric:
    """The metric of this name, or of a function ``(reference, found) -> float`` of the pipeline's results.

    Of a function the largest difference counts; one that is a share, whose mean counts, is given as a ``Metric``.

    Raises:
        UnknownNameError: no metric has the name; lists them.
        ArgumentError: neither a name nor a function.

    >>> metric_of("top1").difference(np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([[0.8, 0.2], [0.6, 0.4]]))
    0.5
    """
    if isinstance(metric, str):
        if metric not in METRICS:
            raise UnknownNameError("metric", metric, METRICS)
        return METRICS[metric]
    if isinstance(metric, Metric):
        return metric
    if not callable(metric):
        raise ArgumentError(
            f"metric={metric!r}: expected {', '.join(METRICS)}, or a function of the reference's result and the found "
            "one"
        )
    name = str(getattr(metric, "__name__", type(metric).__name__))

    def difference(reference: Any, found: Any) -> float:
        value = float(metric(reference, found))
        return value if value >= 0 else math.inf  # NaN is not: nothing is known of such a result

    return Metric(f"function {name}", difference)
