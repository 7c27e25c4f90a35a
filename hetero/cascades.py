"""A quick model first, a careful one where the quick one is not sure enough: how sure, is learnt from samples.

>>> import hetero as ht
>>> @ht.node
... def quick(x):
...     return round(x)
>>> @ht.node
... def sureness(x, answer):
...     return 1 - abs(x - answer)
>>> @ht.node
... def careful(x):
...     return round(x + 0.1)
>>> samples = [i / 100 for i in range(200)]
>>> tuned = ht.cascade(quick, sureness, careful, samples, error=0.05, metric="exact")
>>> tuned.threshold, tuned.share_quick, tuned.error
(0.56, 0.89, 0.045)
>>> [tuned(x) for x in (0.3, 0.45)]
[0, 1]
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from hetero.arguments import Args
from hetero.cost.metrics import Metric, metric_of
from hetero.errors import ArgumentError
from hetero.tracing import Pipeline, branch, node

__all__ = ["Cascade", "cascade", "threshold_for"]


class Cascade(Pipeline):
    """The tuned pipeline, and what it was tuned to.

    ``threshold`` is the least sureness with which the quick answer is taken (infinite: never), ``share_quick`` how many
    of the samples are answered by it, ``error`` the mean error of the samples against the careful answer.
    """

    def __init__(
        self, function: Callable[..., Any], name: str, threshold: float, share_quick: float, error: float
    ) -> None:
        super().__init__(function, name)
        self.threshold, self.share_quick, self.error = threshold, share_quick, error


def cascade(
    quick: Callable[..., Any],
    sureness: Callable[..., Any],
    careful: Callable[..., Any],
    samples: Sequence[Any],
    *,
    error: float,
    metric: str | Metric | Callable[[Any, Any], float] = "relative",
    name: str = "cascade",
) -> Cascade:
    """A pipeline of one input that takes the quick answer where it is sure enough, and else the careful one.

    The threshold is the least one under which a new input like the samples has an expected error of at most ``error``
    (conformal risk control: Angelopoulos et al., arXiv:2208.02814). That holds for so few samples as are given, so few
    samples make it careful: to allow 1 % takes 99 of them. An error counts as 1 at most.

    Args:
        quick: node or pipeline of the input.
        sureness: node or pipeline of the input and the quick answer, a number: the larger, the surer.
        careful: node or pipeline of the input: what counts as right.
        samples: inputs; each is answered both ways, once, by the references.
        error: the expected error that is allowed, from 0 to 1.
        metric: of what, as in ``ht.plan``.

    Raises:
        ArgumentError: no samples, or an error that is no number from 0 to 1.
    """
    if not samples or any(isinstance(sample, Args) for sample in samples):
        raise ArgumentError("cascade: samples: expected a list of inputs, at least one, each a single value")
    if isinstance(error, bool) or not isinstance(error, int | float) or not 0 <= error <= 1:
        raise ArgumentError(f"cascade: error={error!r}: expected a number from 0 to 1")
    measure = metric_of(metric)
    seen = [_both_ways(quick, sureness, careful, sample, measure) for sample in samples]
    threshold = threshold_for(seen, error)
    taken = [off for sure, off in seen if sure >= threshold]

    @node(name="is_sure")
    def is_sure(sure: Any) -> bool:
        return bool(sure >= threshold)

    def answer(x: Any) -> Any:
        first = quick(x)
        return branch(is_sure(sureness(x, first)), lambda: first, lambda: careful(x))

    return Cascade(answer, name, threshold, len(taken) / len(seen), sum(taken) / len(seen))


def _both_ways(
    quick: Callable[..., Any],
    sureness: Callable[..., Any],
    careful: Callable[..., Any],
    sample: Any,
    metric: Metric,
) -> tuple[float, float]:
    """How sure the quick answer is, and how far off."""
    first = quick(sample)
    return float(sureness(sample, first)), min(1.0, metric.difference(careful(sample), first))


def threshold_for(seen: Sequence[tuple[float, float]], error: float) -> float:
    """The least sureness to accept, given (sureness, error from 0 to 1) of samples; infinite where none is safe.

    Accepting more only adds errors, so the bound is walked down from the surest sample: a new input may be the worst,
    which counts as one more sample with an error of 1.

    >>> threshold_for([(0.9, 0.0)] * 98 + [(0.5, 1.0)], error=0.02)
    0.5
    >>> threshold_for([(0.9, 0.0)] * 98 + [(0.5, 1.0)], error=0.01)
    0.9
    >>> threshold_for([(0.9, 0.0)] * 10, error=0.01)
    inf
    """
    by_sureness: dict[float, list[float]] = defaultdict(list)
    for sure, off in seen:
        if not math.isnan(sure):
            by_sureness[sure].append(off)
    found, total = math.inf, 1.0
    for sure in sorted(by_sureness, reverse=True):
        total += sum(by_sureness[sure])
        if total > error * (len(seen) + 1) * (1 + 1e-12):
            break
        found = sure
    return found
