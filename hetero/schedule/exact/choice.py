"""Which choices of options are allowed: one for each task, joined by links, within memory and limited sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hetero.schedule.arrays import Arrays
from hetero.schedule.exact.model import Model, largest_sum
from hetero.schedule.problem import Limits
from hetero.schedule.ticks import Ticks, ticks_for
from hetero.schedule.tradeoff import limited_sums

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

__all__ = ["choice_model", "limit_memory"]


def choice_model(arrays: Arrays, limits: Limits, *, memory: bool = True) -> Model:
    """A model in which the order of tasks does not matter; without `memory`, its capacities are left out."""
    from ortools.sat.python import cp_model

    cp = cp_model.CpModel()
    taken = [cp.new_bool_var(f"taken{option}") for option in range(arrays.options)]
    for task in range(arrays.tasks):
        cp.add_exactly_one(taken[arrays.first[task] : arrays.first[task + 1]])
    model = Model(cp, arrays, Ticks(1.0, exact=True), taken, [], [])
    if memory:
        limit_memory(model, limits)
    _limit_sums(model, limits)
    _forbid_missing_links(model)
    return model


def limit_memory(
    model: Model, limits: Limits, *, overflow: bool = False
) -> tuple[Ticks, list[cp_model.IntVar]] | None:
    """Keep memory within capacity; with `overflow`, count what is missing instead, in the ticks returned."""
    arrays = model.arrays
    everywhere = limits.memory_bytes is not None
    most = np.bincount(arrays.processor, arrays.memory, minlength=arrays.processors)
    binding = arrays.memory_capacity < most
    limited = [p for p in range(arrays.processors) if everywhere or binding[p]]
    if not limited:
        return None
    capacities = arrays.memory_capacity[binding]
    sizes = np.concatenate([arrays.memory, capacities])
    unit = ticks_for(sizes, max(1.0, largest_sum(arrays, arrays.memory)))
    terms = {processor: _memory_terms(model, processor, unit) for processor in limited}
    rows = [(terms[p], float(arrays.memory_capacity[p])) for p in limited if binding[p]]
    if limits.memory_bytes is not None:
        rows.append(([term for processor in limited for term in terms[processor]], limits.memory_bytes))
    missing: list[cp_model.IntVar] = []
    for used, capacity in rows:
        allowed = unit.at_most(capacity)
        if overflow:
            missing.append(model.cp.new_int_var(0, 1 << 45, f"missing{len(missing)}"))
            model.cp.add(sum(used) <= allowed + missing[-1])
        else:
            model.cp.add(sum(used) <= allowed)
    return unit, missing


def _memory_terms(model: Model, processor: int, unit: Ticks) -> list[cp_model.LinearExprT]:
    """What to sum for the resident memory of a processor; a shared copy is paid for in steps of size."""
    arrays = model.arrays
    sizes = unit.whole(arrays.memory)
    here = np.flatnonzero((arrays.processor == processor) & (sizes > 0))
    terms: list[cp_model.LinearExprT] = [
        int(sizes[o]) * model.taken[o] for o in here.tolist() if arrays.key[o] < 0
    ]
    for key in np.unique(arrays.key[here[arrays.key[here] >= 0]]).tolist():
        sharing = here[arrays.key[here] == key]
        paid = 0
        for size in np.unique(sizes[sharing]).tolist():
            resident = model.cp.new_bool_var(f"resident{key}at{size}")
            for option in sharing[sizes[sharing] >= size].tolist():
                model.cp.add_implication(model.taken[option], resident)
            terms.append((size - paid) * resident)
            paid = size
    return terms


def _limit_sums(model: Model, limits: Limits) -> None:
    arrays = model.arrays
    for values, limit in limited_sums(arrays, limits):
        unit = ticks_for(np.append(values, limit), max(limit, largest_sum(arrays, values)))
        used = model.weighted(range(arrays.options), unit.whole(values))
        model.cp.add(used <= unit.at_most(limit))


def _forbid_missing_links(model: Model) -> None:
    arrays = model.arrays
    for edge in np.flatnonzero(arrays.nbytes > 0).tolist():
        for first in model.own(arrays.source[edge]):
            blocked = [
                second
                for second in model.own(arrays.target[edge])
                if not np.isfinite(arrays.latency[arrays.processor[first], arrays.processor[second]])
            ]
            for second in blocked:
                model.cp.add_bool_or(model.taken[first].negated(), model.taken[second].negated())
