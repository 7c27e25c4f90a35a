"""Why nothing fits: the limit that binds, and by how much."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from hetero.errors import InfeasibleError
from hetero.schedule.arrays import Arrays
from hetero.schedule.bounds import critical_path, load
from hetero.schedule.budget import Budget
from hetero.schedule.problem import Limits, Problem

__all__ = ["NothingFitsError", "explain", "missing_bytes"]


PACKING_S = 2.0
"""Of what is left, the most for proving how many bytes are missing."""


class NothingFitsError(InfeasibleError):
    """Says why to whoever asks: finding out may take another solve, and many who catch it only try something else.

    Where it is not ``proven``, nothing was found in the time there was.
    """

    def __init__(self, why: Callable[[], str], *, proven: bool = True) -> None:
        super().__init__()
        self._why = functools.cache(why)
        self.proven = proven

    def __str__(self) -> str:
        return self._why()

    def __reduce__(self) -> tuple[Any, ...]:  # what it would be found out from stays here
        return InfeasibleError, (str(self),)


def explain(problem: Problem, arrays: Arrays, limits: Limits, budget: Budget, *, proven: bool = True) -> str:
    """One line. The simplest reason that alone explains it, else which limits clash.

    What is left of the budget is spent on finding out how much is missing.
    """
    for reason in _reasons(problem, arrays, limits, budget):
        return f"nothing fits: {reason}"
    if fastest := _fastest(problem, arrays, limits, budget):
        return fastest
    stated = ", ".join(_stated(problem, limits)) or "the links"
    if proven:
        return f"nothing fits: {stated} cannot all be kept at once"
    return f"no schedule was found within the budget; {stated} may be too tight (not proven)"


def _reasons(problem: Problem, arrays: Arrays, limits: Limits, budget: Budget) -> Iterator[str]:
    for name in ("joules", "dollars", "error"):
        limit = getattr(limits, name)
        if limit is not None:
            least = float(np.minimum.reduceat(getattr(arrays, name), arrays.first[:-1]).sum())
            if least > limit:
                yield f"the least {name} are {least:g}, {least - limit:g} over the limit of {limit:g}"
    if limits.seconds is not None:
        least = max(critical_path(arrays), load(arrays))
        if math.isfinite(least) and least > limits.seconds:
            over = least - limits.seconds
            yield f"no schedule is shorter than {least:g} s, {over:g} s over the limit of {limits.seconds:g}"
    yield from _missing_links(problem, arrays)
    yield from _memory(problem, arrays, limits, budget)


def _missing_links(problem: Problem, arrays: Arrays) -> Iterator[str]:
    for edge in np.flatnonzero(arrays.nbytes > 0).tolist():
        sources, targets = (
            arrays.processor[arrays.first[task] : arrays.first[task + 1]]
            for task in (arrays.source[edge], arrays.target[edge])
        )
        if not np.isfinite(arrays.latency[np.ix_(sources, targets)]).any():
            names = problem.tasks[arrays.source[edge]].name, problem.tasks[arrays.target[edge]].name
            yield f"no link joins any processor of task {names[0]!r} to any of task {names[1]!r}"


def _memory(problem: Problem, arrays: Arrays, limits: Limits, budget: Budget) -> Iterator[str]:
    if limits.memory_bytes is None and not np.isfinite(arrays.memory_capacity).any():
        return
    over = missing_bytes(arrays, limits)
    if over <= 0:
        from hetero.schedule.exact import least_overflow

        over = least_overflow(arrays, limits, min(PACKING_S, budget.left)) or 0.0
    if over > 0:
        places = ", ".join(
            f"{p.name!r} {p.memory_bytes:g}" for p in problem.processors if p.memory_bytes is not None
        )
        allowed = [f"processors hold {places}"] if places else []
        if limits.memory_bytes is not None:
            allowed.append(f"the limit is {limits.memory_bytes:g} in all")
        yield f"at least {over:g} bytes of memory are missing ({'; '.join(allowed)})"


def missing_bytes(arrays: Arrays, limits: Limits) -> float:
    """Bytes that all tasks need at the least, over what there is in all; tasks that may share a copy need none."""
    least = np.minimum.reduceat(arrays.memory, arrays.first[:-1])
    alone = np.logical_and.reduceat(arrays.key < 0, arrays.first[:-1])
    used = np.zeros(arrays.processors, dtype=bool)
    used[arrays.processor] = True
    held = float(arrays.memory_capacity[used].sum())
    if limits.memory_bytes is not None:
        held = min(held, limits.memory_bytes)
    needed = math.fsum(least[alone])
    return needed - held if needed > held * (1 + 1e-9) else 0.0


def _fastest(problem: Problem, arrays: Arrays, limits: Limits, budget: Budget) -> str | None:
    """With several limits at once, what the limit on seconds would have to be."""
    if limits.seconds is None:
        return None
    from hetero.schedule.latency import shortest

    try:
        draft, bound = shortest(problem, arrays, replace(limits, seconds=None), budget.part(1.0))
    except InfeasibleError:
        return None
    over = draft.makespan_s - limits.seconds
    if over <= 0:
        return None
    best = f"{draft.makespan_s:g} s"
    if bound < draft.makespan_s * (1 - 1e-9):
        best += f" (proven: not under {bound:g} s)"
    if bound > limits.seconds:
        return f"nothing fits: the shortest schedule takes {best}, {over:g} s over the limit of {limits.seconds:g}"
    return (
        f"no schedule was found within the budget: the shortest that was takes {best}, {over:g} s over the limit "
        f"of {limits.seconds:g}"
    )


def _stated(problem: Problem, limits: Limits) -> Iterator[str]:
    if any(p.memory_bytes is not None for p in problem.processors):
        yield "the processors' memory"
    for name in ("seconds", "joules", "dollars", "error", "memory_bytes"):
        if getattr(limits, name) is not None:
            yield f"the limit of {getattr(limits, name):g} on {name}"
