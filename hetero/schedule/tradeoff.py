"""A lower bound on the makespan that couples the longest chain with the load.

More cores make a task shorter and its work larger. The critical path assumes that every task takes all cores, the
load bound that every task takes one; a schedule cannot have both. The linear program of that trade-off shares each task
among its options, asks that no chain of the shared durations and no processor's shared work exceed the makespan, and
is the relaxation behind the approximation algorithms for moldable tasks (K. Jansen and H. Zhang, "An approximation
algorithm for scheduling malleable tasks under general precedence constraints", ACM Trans. Algorithms 2(3), 2006,
https://doi.org/10.1145/1159892.1159899).

Limits on sums (energy, cost, error) are rows of the same program, so that where they rule out the fastest options the
bound knows. With a sum to be minimised and the makespan limited, it is the same program with another goal.

What is reported is not the solver's optimum but the value of its multipliers, which bound the makespan however
inexact they are: a flow along edges that weighs durations, and prices of each processor's work and of what is limited.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from hetero.schedule.arrays import Arrays, Floats
from hetero.schedule.bounds import SAFETY
from hetero.schedule.problem import Limits

__all__ = ["Multipliers", "Sums", "limited_sums", "multipliers", "tradeoff_bound"]

Sums: TypeAlias = list[tuple[Floats, float]]
"""By limited quantity: what each option takes of it, and the limit."""


@dataclass(frozen=True, slots=True, eq=False)
class Multipliers:
    """Prices under which no schedule is shorter than what its tasks cannot but pay.

    ``flow`` of each edge and ``ending`` of each task weigh chains, ``weight`` of each processor a second of one of its
    cores; together, a second of makespan weighs 1. ``price`` is of each limited sum, in parts of its limit. ``toll`` is
    what each option pays for its duration, its work and its part of the sums.

    Where a sum is minimised, its own part of the toll weighs 1, and the last ``price`` is that of all the time allowed.
    """

    flow: Floats
    ending: Floats
    weight: Floats
    price: Floats
    toll: Floats

    def bound(self, arrays: Arrays) -> float:
        """On the makespan in seconds, or on the sum. Each task pays its least; what the limits allow is given back."""
        paid = float(np.minimum.reduceat(self.toll, arrays.first[:-1]).sum())
        return max(0.0, paid - float(self.price.sum()) * (1 + SLACK)) * SAFETY

    def times(self, factor: float) -> Multipliers:
        return Multipliers(
            *(factor * each for each in (self.flow, self.ending, self.weight, self.price, self.toll))
        )


class _Dual(NamedTuple):
    """The linear program's: of edges, of the tasks' ends, of processors, of limited sums."""

    flow: Floats
    ending: Floats
    weight: Floats
    price: Floats


SLACK = 1e-9
"""How far over a limit a schedule may be and still keep it."""


def tradeoff_bound(arrays: Arrays, limits: Limits = Limits()) -> float:  # noqa: B008 - frozen
    """The bound in seconds; 0 where the linear program was not solved."""
    found = multipliers(arrays, limits)
    return 0.0 if found is None else found.bound(arrays)


def limited_sums(arrays: Arrays, limits: Limits) -> Sums:
    """The quantities that are limited, as sums over the chosen options."""
    pairs = (
        (arrays.joules, limits.joules),
        (arrays.dollars, limits.dollars),
        (arrays.error, limits.error),
    )
    return [(values, limit) for values, limit in pairs if limit is not None]


def multipliers(
    arrays: Arrays,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    minimised: Floats | None = None,
    *,
    chains: bool = True,
    seconds: float = math.inf,
) -> Multipliers | None:
    """The best multipliers; None where there are no tasks, or the linear program was not solved within ``seconds``.

    With ``minimised``, what each option takes of it, for the least sum within ``limits.seconds`` instead of the least
    makespan. Without ``chains`` the makespan is the period: only the processors' work counts.
    """
    if arrays.tasks == 0:
        return None
    leaving = _least_delays(arrays)
    sums = limited_sums(arrays, limits)
    if minimised is None:
        dual = _dual(arrays, leaving, sums, None, None, chains=chains, seconds=seconds)
        return None if dual is None else _repaired(arrays, leaving, sums, dual)
    scale = float(minimised.mean())
    if not scale > 0:
        return None
    dual = _dual(arrays, leaving, sums, minimised / scale, limits.seconds, chains=chains, seconds=seconds)
    if dual is None:
        return None
    return _for_sum(arrays, leaving, sums, minimised / scale, limits.seconds, scale, dual)


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


def _dual(
    arrays: Arrays,
    leaving: list[Floats],
    limited: Sums,
    minimised: Floats | None,
    longest_s: float | None,
    *,
    chains: bool,
    seconds: float,
) -> _Dual | None:
    from scipy import optimize
    from scipy.sparse import csr_array

    linprog: Any = optimize.linprog  # its stubs know dense matrices only

    tasks, options, edges = arrays.tasks, arrays.options, arrays.edges
    makespan = options + tasks  # columns: shares of options, starts of tasks, the makespan
    rows: list[np.ndarray[Any, Any]] = []
    columns: list[np.ndarray[Any, Any]] = []
    values: list[np.ndarray[Any, Any]] = []

    def entries(row: Any, column: Any, value: Any) -> None:
        parts = np.broadcast_arrays(row, column, np.asarray(value, dtype=float))
        for kept, part in zip((rows, columns, values), parts, strict=True):
            kept.append(part.ravel())

    own = [np.arange(arrays.first[task], arrays.first[task + 1]) for task in range(tasks)]
    # start of the source + its duration + transfer <= start of the target
    for edge in range(edges if chains else 0):
        source, target = int(arrays.source[edge]), int(arrays.target[edge])
        entries(edge, own[source], arrays.seconds[own[source]] + leaving[edge])
        entries(edge, [options + source, options + target], [1.0, -1.0])
    ends = edges + np.arange(tasks)  # start + duration <= makespan
    if chains:
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
    limits: list[tuple[float, float | None]] = [(0.0, None)] * (makespan + 1)
    if minimised is None:
        objective[-1] = 1.0
    else:
        objective[:options], limits[-1] = minimised, (0.0, longest_s)
    result = linprog(
        objective,
        A_ub=table,
        b_ub=most,
        A_eq=shares,
        b_eq=np.ones(tasks),
        bounds=limits,
        method="highs",
        options={} if math.isinf(seconds) else {"time_limit": seconds},
    )
    if result.x is None:
        return None
    dual = np.maximum(0.0, -result.ineqlin.marginals)
    return _Dual(dual[:edges], dual[edges:loads], dual[loads:sums], dual[sums:])


def _repaired(
    arrays: Arrays,
    leaving: list[Floats],
    limited: Sums,
    dual: _Dual,
) -> Multipliers | None:
    """What the solver's rounding has lost of a flow on its way through a task is made to leave at the end; and the
    makespan weighs exactly 1."""
    found = _paid(arrays, leaving, limited, dual)
    scale = _of_makespan(arrays, found)
    return found.times(1.0 / scale) if scale > 0 else None


def _for_sum(
    arrays: Arrays,
    leaving: list[Floats],
    limited: Sums,
    minimised: Floats,
    longest_s: float | None,
    scale: float,
    dual: _Dual,
) -> Multipliers | None:
    """The same where a sum is minimised: what the makespan weighs is paid for with all of the time allowed."""
    if longest_s is None:
        flow, ending, weight, price = dual
        dual = _Dual(np.zeros_like(flow), np.zeros_like(ending), np.zeros_like(weight), price)
    found = _paid(arrays, leaving, limited, dual)
    time = _of_makespan(arrays, found) * (longest_s or 0.0)
    return replace(found, price=np.append(found.price, time), toll=found.toll + minimised).times(scale)


def _paid(
    arrays: Arrays,
    leaving: list[Floats],
    limited: Sums,
    dual: _Dual,
) -> Multipliers:
    """What each option pays for its duration, its work and its part of what is limited."""
    flow, ending, weight, price = dual
    price = price * np.array(
        [limit > 0 for _, limit in limited]
    )  # of a limit of 0 there are no parts to pay for
    into = np.bincount(arrays.target, flow, minlength=arrays.tasks)
    out = np.bincount(arrays.source, flow, minlength=arrays.tasks)
    ending = np.maximum(ending, into - out)
    toll = arrays.seconds * ((out + ending)[arrays.task] + arrays.cores * weight[arrays.processor])
    for edge in range(arrays.edges):
        source = arrays.source[edge]
        toll[arrays.first[source] : arrays.first[source + 1]] += flow[edge] * leaving[edge]
    for each, (quantity, limit) in zip(price, limited, strict=True):
        toll += each * quantity / (limit or 1.0)
    return Multipliers(flow, ending, weight, price, toll)


def _of_makespan(arrays: Arrays, found: Multipliers) -> float:
    """What a second of makespan weighs."""
    return float(found.ending.sum() + (found.weight * arrays.capacity).sum())
