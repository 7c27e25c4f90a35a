"""A lower bound on the makespan that couples the longest chain with the load.

More cores make a task shorter and its work larger. The critical path assumes that every task takes all cores, the
load bound that every task takes one; a schedule cannot have both. The linear program of that trade-off shares each task
among its options, asks that no chain of the shared durations and no processor's shared work exceed the makespan, and
is the relaxation behind the approximation algorithms for moldable tasks (K. Jansen and H. Zhang, "An approximation
algorithm for scheduling malleable tasks under general precedence constraints", ACM Trans. Algorithms 2(3), 2006,
https://doi.org/10.1145/1159892.1159899).

Limits on sums (energy, cost, error) are rows of the same program, so that where they rule out the fastest options the
bound knows.

What is reported is not the solver's optimum but the value of its multipliers, which bound the makespan however
inexact they are: a flow along edges that weighs durations, and prices of each processor's work and of what is limited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hetero.schedule.arrays import Arrays, Floats
from hetero.schedule.bounds import SAFETY
from hetero.schedule.problem import Limits

__all__ = ["tradeoff_bound"]


@dataclass(frozen=True, slots=True, eq=False)
class _Multipliers:
    """The linear program's dual: flow on each edge and from each task to the end, the price of each processor's work
    and of each limited quantity."""

    flow: Floats
    ending: Floats
    weight: Floats
    price: Floats


def tradeoff_bound(arrays: Arrays, limits: Limits = Limits()) -> float:  # noqa: B008 - frozen
    """The bound in seconds; 0 where the linear program was not solved."""
    if arrays.tasks == 0:
        return 0.0
    leaving = _least_delays(arrays)
    limited = [
        (values, limit)
        for values, limit in (
            (arrays.joules, limits.joules),
            (arrays.dollars, limits.dollars),
            (arrays.error, limits.error),
        )
        if limit is not None
    ]
    found = _multipliers(arrays, leaving, limited)
    return 0.0 if found is None else max(0.0, _value(arrays, leaving, limited, found)) * SAFETY


def _least_delays(arrays: Arrays) -> list[Floats]:
    """For each edge, for each option of its source: the least time that its data takes to any option of the target."""
    delays = []
    for edge in range(arrays.edges):
        source, target = arrays.source[edge], arrays.target[edge]
        here = arrays.processor[arrays.first[source] : arrays.first[source + 1]]
        there = np.unique(arrays.processor[arrays.first[target] : arrays.first[target + 1]])
        least: Floats = arrays.delays(edge)[np.ix_(here, there)].min(axis=1)
        delays.append(np.where(np.isfinite(least), least, 0.0))
    return delays


def _multipliers(
    arrays: Arrays, leaving: list[Floats], limited: list[tuple[Floats, float]]
) -> _Multipliers | None:
    from scipy import optimize
    from scipy.sparse import csr_array

    linprog: Any = optimize.linprog  # its stubs know dense matrices only

    tasks, options, edges = arrays.tasks, arrays.options, arrays.edges
    makespan = options + tasks  # columns: shares of options, starts of tasks, the makespan
    rows: list[np.ndarray[Any, Any]] = []
    columns: list[np.ndarray[Any, Any]] = []
    values: list[np.ndarray[Any, Any]] = []

    def entries(row: object, column: object, value: object) -> None:
        parts = np.broadcast_arrays(row, column, np.asarray(value, dtype=float))
        for kept, part in zip((rows, columns, values), parts, strict=True):
            kept.append(part.ravel())

    own = [np.arange(arrays.first[task], arrays.first[task + 1]) for task in range(tasks)]
    for edge in range(edges):  # start of the source + its duration + transfer <= start of the target
        source, target = int(arrays.source[edge]), int(arrays.target[edge])
        entries(edge, own[source], arrays.seconds[own[source]] + leaving[edge])
        entries(edge, [options + source, options + target], [1.0, -1.0])
    ends = edges + np.arange(tasks)  # start + duration <= makespan
    entries(edges + arrays.task, np.arange(options), arrays.seconds)
    entries(ends, options + np.arange(tasks), 1.0)
    entries(ends, makespan, -1.0)
    loads = edges + tasks  # work of a processor <= its cores * makespan
    entries(loads + arrays.processor, np.arange(options), arrays.seconds * arrays.cores)
    entries(loads + np.arange(arrays.processors), makespan, -arrays.capacity.astype(float))

    sums = loads + arrays.processors  # in units of the limit: energies and errors differ by ten powers of ten
    for number, (quantity, limit) in enumerate(limited):
        entries(sums + number, np.arange(options), quantity / (limit or 1.0))
    most = np.concatenate([np.zeros(sums), [float(limit > 0) for _, limit in limited]])

    count = sums + len(limited)
    table = csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(count, makespan + 1)
    )
    shares = csr_array((np.ones(options), (arrays.task, np.arange(options))), shape=(tasks, makespan + 1))
    objective = np.zeros(makespan + 1)
    objective[-1] = 1.0
    result = linprog(objective, A_ub=table, b_ub=most, A_eq=shares, b_eq=np.ones(tasks), method="highs")
    if result.x is None:
        return None
    dual = np.maximum(0.0, -result.ineqlin.marginals)
    prices = [price / (limit or 1.0) for price, (_, limit) in zip(dual[sums:], limited, strict=True)]
    return _Multipliers(dual[:edges], dual[edges:loads], dual[loads:sums], np.array(prices))


def _value(
    arrays: Arrays, leaving: list[Floats], limited: list[tuple[Floats, float]], by: _Multipliers
) -> float:
    """The bound that these multipliers prove: each task at its cheapest, by duration and by work.

    What flows into a task has to flow out again; what rounding has lost on the way is made to leave at the end.
    """
    into = np.bincount(arrays.target, by.flow, minlength=arrays.tasks)
    out = np.bincount(arrays.source, by.flow, minlength=arrays.tasks)
    ending = np.maximum(by.ending, into - out)
    scale = float(ending.sum() + (by.weight * arrays.capacity).sum())
    if not scale > 0:
        return 0.0
    paid = arrays.seconds * ((out + ending)[arrays.task] + arrays.cores * by.weight[arrays.processor])
    for edge in range(arrays.edges):
        source = arrays.source[edge]
        paid[arrays.first[source] : arrays.first[source + 1]] += by.flow[edge] * leaving[edge]
    allowed = 0.0
    for price, (quantity, limit) in zip(by.price, limited, strict=True):
        paid += price * quantity
        allowed += price * limit * (1 + 1e-9)  # what a schedule may be over a limit and still keep it
    return (float(np.minimum.reduceat(paid, arrays.first[:-1]).sum()) - allowed) / scale
