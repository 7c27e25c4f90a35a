"""Lower bounds from the work that processors can do in the time there is.

Any weights on processors whose weighted cores sum to one give a bound: no matter how the tasks are
placed, each costs at least its cheapest weighted work, and together they fit into one makespan. The best
weights are the dual of the load LP; being only weights, they may carry a solver's rounding errors without
making the bound wrong.

The same holds for any set of tasks that all start after a head h and end before a tail t: the makespan
is at least h + (their weighted work) + t (J. Carlier, "The one-machine sequencing problem", EJOR 11, 1982,
https://doi.org/10.1016/S0377-2217(82)80007-6, with unrelated machines in the place of one).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hetero.schedule.arrays import Arrays, Floats
from hetero.schedule.bounds import SAFETY, Ends

__all__ = ["even_weights", "load_bound", "lp_weights"]

ROUNDS = 3
"""How often the weights are fitted to the set of tasks that binds, and the set to the weights."""


def load_bound(arrays: Arrays, ends: Ends | None = None, *, fit: bool = True) -> float:
    """The best bound found by fitting weights and sets of tasks to each other.

    Without `fit` every core counts the same: needs no solver, and is as good where processors are equal.
    """
    if arrays.tasks == 0:
        return 0.0
    ends = Ends.of(arrays) if ends is None else ends
    head = np.minimum.reduceat(ends.head, arrays.first[:-1])
    tail = np.minimum.reduceat(ends.tail, arrays.first[:-1])
    best = 0.0
    everything = np.ones(arrays.tasks, dtype=bool)
    bound, binding = _heads_and_tails(_least_work(arrays, even_weights(arrays)), head, tail)
    if not fit:
        return bound * SAFETY
    for chosen in (everything, binding):
        for _ in range(ROUNDS):
            best = max(best, bound)
            weights = lp_weights(arrays, chosen)
            bound, chosen = _heads_and_tails(_least_work(arrays, weights), head, tail)
            if bound <= best:
                break
    return max(best, bound) * SAFETY


def even_weights(arrays: Arrays) -> Floats:
    """Every core counts the same."""
    return np.full(arrays.processors, 1.0 / arrays.capacity.sum())


def lp_weights(arrays: Arrays, chosen: npt.NDArray[np.bool_]) -> Floats:
    """The weights under which the chosen tasks' work is hardest to place: the load LP's dual.

    The primal shares each task among its options so that the busiest core has least to do.
    """
    from scipy import optimize
    from scipy.sparse import csr_array

    linprog: Any = optimize.linprog  # its stubs know dense matrices only

    kept = np.flatnonzero(chosen[arrays.task])
    tasks = np.unique(arrays.task[kept], return_inverse=True)[1]
    count = len(kept)
    work = arrays.seconds[kept] * arrays.cores[kept]
    columns = np.arange(count)
    shares = csr_array((np.ones(count), (tasks, columns)), shape=(int(tasks.max()) + 1, count + 1))
    loads = csr_array(
        (
            np.concatenate([work, -arrays.capacity.astype(float)]),
            (
                np.concatenate([arrays.processor[kept], np.arange(arrays.processors)]),
                np.concatenate([columns, np.full(arrays.processors, count)]),
            ),
        ),
        shape=(arrays.processors, count + 1),
    )
    objective = np.zeros(count + 1)
    objective[-1] = 1.0
    result = linprog(
        objective,
        A_ub=loads,
        b_ub=np.zeros(arrays.processors),
        A_eq=shares,
        b_eq=np.ones(shares.shape[0]),
        method="highs",
    )
    if result.x is None:
        return even_weights(arrays)
    weights = np.maximum(0.0, -result.ineqlin.marginals)
    total = float((weights * arrays.capacity).sum())
    return weights / total if total > 0 else even_weights(arrays)


def _least_work(arrays: Arrays, weights: Floats) -> Floats:
    """The cheapest weighted work of each task."""
    work = arrays.seconds * arrays.cores * weights[arrays.processor]
    least: Floats = np.minimum.reduceat(work, arrays.first[:-1])
    return least


def _heads_and_tails(work: Floats, head: Floats, tail: Floats) -> tuple[float, npt.NDArray[np.bool_]]:
    """The best of h + work of {head >= h, tail >= t} + t over all h and t, and the set that gives it."""
    by_tail = np.argsort(-tail, kind="stable")
    best, best_h, best_t = 0.0, 0.0, 0.0
    for h in np.unique(head).tolist():
        inside = by_tail[head[by_tail] >= h]
        sums = h + np.cumsum(work[inside]) + tail[inside]
        place = int(sums.argmax())
        if sums[place] > best:
            best, best_h, best_t = float(sums[place]), h, float(tail[inside[place]])
    return best, (head >= best_h) & (tail >= best_t)
