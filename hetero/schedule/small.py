"""Plans of a pipeline: up to a few dozen tasks, mostly on one machine, wanted with their proof in milliseconds.

CP-SAT takes tens of milliseconds to set up its model, and seconds to prove what to put on which of a few cores. A
branch and bound over tasks in the order of their starts needs microseconds a node, and with bounds that couple chains
with load often only a few thousand nodes.
"""

from __future__ import annotations

import math

import numpy as np

from hetero.schedule.arrays import Arrays, Floats
from hetero.schedule.clock import off_the_clock
from hetero.schedule.draft import Draft
from hetero.schedule.effort import Outcome
from hetero.schedule.load_bounds import even_weights
from hetero.schedule.problem import Limits
from hetero.schedule.ticks import Ticks
from hetero.schedule.tradeoff import Multipliers, limited_sums

__all__ = ["is_small", "shortest_small"]

MOST_TASKS = 24
MOST_CORES = 64


def is_small(arrays: Arrays, limits: Limits) -> bool:
    """Whether the search is meant for such a problem: few tasks, few cores, and memory that is large enough for any
    choice of options."""
    if not 0 < arrays.tasks <= MOST_TASKS or arrays.capacity.sum() > MOST_CORES:
        return False
    if limits.memory_bytes is not None:
        return False
    for processor, capacity in enumerate(arrays.memory_capacity.tolist()):
        largest = np.zeros(arrays.tasks)
        here = arrays.processor == processor
        np.maximum.at(largest, arrays.task[here], arrays.memory[here])
        if largest.sum() > capacity:
            return False
    return True


def shortest_small(
    arrays: Arrays,
    limits: Limits,
    *,
    incumbent: Draft | None,
    horizon_s: float,
    bound_s: float,
    ticks: Ticks,
    tails: Floats,
    prices: Multipliers | None,
    most_nodes: int,
) -> Outcome:
    """The shortest schedule of a problem that ``is_small``: starts from a valid one, stops at a bound already proven.

    ``horizon_s`` is a makespan that need not be exceeded, ``ticks`` are those of all times up to it; ``tails`` and
    ``prices`` those of ``hetero.schedule.bounds`` and ``tradeoff`` for the same limits.

    Where it ran to its end, the bound of what it gives is the makespan, or nothing fits.
    """
    from hetero.schedule.small_kernel import Graph, Prices, branch_and_bound  # loads Numba

    delays = _delays(arrays)
    sums = limited_sums(arrays, limits)
    # The first set's tolls also order the options of a task.
    sets = [*([prices] if prices is not None else []), _by_load(arrays, len(sums))]
    graph = Graph(
        first=arrays.first,
        task=arrays.task,
        processor=arrays.processor,
        seconds=arrays.seconds,
        cores=arrays.cores,
        tails=tails,
        quantity=_rows([quantity / (limit or 1.0) for quantity, limit in sums], arrays.options),
        in_first=arrays.incoming_first,
        source=arrays.source[arrays.incoming],
        delay=delays[arrays.incoming],
        order=arrays.order,
        base=np.concatenate([[0], np.cumsum(arrays.capacity)]),
        step_s=1.0 / ticks.per_unit if ticks.exact else 0.0,
        one_place=arrays.processors == 1 and not sums,
    )
    rows = Prices(
        flow=_rows([each.flow[arrays.incoming] for each in sets], arrays.edges),
        ending=_rows([each.ending for each in sets], arrays.tasks),
        weight=_rows([each.weight for each in sets], arrays.processors),
        price=_rows([each.price for each in sets], len(sums)),
        toll=_rows([each.toll for each in sets], arrays.options),
    )
    if incumbent is not None:
        known = incumbent.makespan_s
    else:
        longest = horizon_s if limits.seconds is None else min(horizon_s, limits.seconds)
        known = _just_above(longest, graph.step_s)
    with off_the_clock():
        option, start, best_s, complete = branch_and_bound(
            graph, rows, known, bound_s * (1 + 1e-12), most_nodes
        )
    draft = Draft.of(arrays, option, start, "branch-and-bound") if len(option) else None
    if not complete:
        return Outcome(draft, bound_s)
    if draft is None and incumbent is None:
        return Outcome(None, 0.0, infeasible=True)
    return Outcome(draft, best_s)


def _just_above(longest_s: float, step_s: float) -> float:
    """What a schedule of at most ``longest_s`` is shorter than, and nothing longer is."""
    if step_s > 0:  # between the last whole step and the next one
        return (math.floor(longest_s / step_s + 1e-9) + 0.75) * step_s
    return longest_s * (1 + 1e-9)


def _by_load(arrays: Arrays, sums: int) -> Multipliers:
    """Every core counts the same, and nothing else does."""
    weight = even_weights(arrays)
    return Multipliers(
        flow=np.zeros(arrays.edges),
        ending=np.zeros(arrays.tasks),
        weight=weight,
        price=np.zeros(sums),
        toll=arrays.seconds * arrays.cores * weight[arrays.processor],
    )


def _rows(rows: list[Floats], width: int) -> Floats:
    """A matrix, also where it has no rows or no columns."""
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)


def _delays(arrays: Arrays) -> Floats:
    """Edges x processors x processors."""
    if arrays.edges == 0:
        return np.zeros((0, arrays.processors, arrays.processors))
    return np.stack([arrays.delays(edge) for edge in range(arrays.edges)])
