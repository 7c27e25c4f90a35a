"""A part of a schedule made anew, while the rest keeps its options and its order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hetero.schedule.arrays import Arrays
from hetero.schedule.draft import Draft
from hetero.schedule.effort import Effort, Outcome
from hetero.schedule.exact.run import run
from hetero.schedule.exact.timing import timed_model
from hetero.schedule.problem import Limits

__all__ = ["shorten_part"]

SHORTER = 1 - 1e-9
"""Only what is shorter is looked for: that there is nothing is mostly proven at once."""


def shorten_part(
    arrays: Arrays,
    limits: Limits,
    begin: Draft,
    free: npt.NDArray[np.bool_],
    order: Iterable[tuple[int, int]],
    *,
    lower_s: float,
    effort: Effort,
) -> Outcome:
    """The shortest schedule in which only `free` tasks change options, and `order` holds: pairs, the second after the
    first. Without a draft where nothing is shorter than `begin`, which is proven if `infeasible`."""
    kept = free[arrays.task]
    kept[begin.option] = True
    model = timed_model(arrays.only(kept), limits, begin.makespan_s * SHORTER, lower_s, part=True)
    assert model.makespan is not None
    for before, after in order:
        model.cp.add(model.start[after] >= model.end[before])
    model.cp.minimize(model.makespan)
    outcome = run(model, effort, "large-neighbourhoods", unit=model.ticks, propagate=True)
    if outcome.draft is None:
        return outcome
    return replace(outcome, draft=replace(outcome.draft, option=np.flatnonzero(kept)[outcome.draft.option]))
