"""What an engine takes longer for a call whose shapes are not those of the call before.

Some engines prepare a model for the shapes of a call and keep that for the next one: OpenVINO takes 0.3 ms longer for
a sentence of another length, of 1.6 ms. Profiles are taken with the same call again and again, so this is measured by
itself: calls of different shapes in turn, each twice, the second time less the first.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

__all__ = ["change_seconds", "changes_a_request"]

ROUNDS = 7
FEWEST_ROUNDS = 3


def change_seconds(
    run: Callable[[Sequence[Any]], object],
    calls: Sequence[Sequence[Any]],
    clock: Callable[[], float],
    budget_s: float,
) -> float:
    """Seconds that a change of shapes costs a call, the median over changes between these calls; at least 0.

    Ends after ``ROUNDS`` rounds, or before that once ``budget_s`` is spent.
    """
    started, lost = clock(), []
    for number, call in enumerate(cycle(calls)):
        if number >= len(calls) * (ROUNDS + 1):
            break
        if number >= len(calls) * (FEWEST_ROUNDS + 1) and clock() - started > budget_s:
            break
        began = clock()
        run(call)
        changed = clock()
        run(call)
        if number >= len(calls):  # the first round is the warm-up
            lost.append((changed - began) - (clock() - changed))
    return max(0.0, statistics.median(lost))


def changes_a_request(counts: Sequence[int], samples: int) -> float:
    """How many calls of one request follow one of other shapes, given how often each shape was called on the samples.

    In an order by chance a call differs from the one before with the probability that two calls drawn at random
    differ. A node that is called once a request sees changes between requests only, which are not this request's.

    >>> changes_a_request([20, 20], samples=1), changes_a_request([40], samples=1), changes_a_request([1, 1], samples=2)
    (20.0, 0.0, 0.0)
    """
    total = sum(counts)
    if total <= samples:
        return 0.0
    return total / samples * (1 - sum((count / total) ** 2 for count in counts))
