"""The window in which each option can run, and the work that fits between the edges of windows.

An option starts after its head and leaves its tail of time to the end (see `hetero.schedule.clusters`). Options
whose window is too short are ruled out; and for any head h and tail t, the tasks that start after h and leave t
share h + (their work on one processor) + t <= makespan. CP-SAT implies these rows only once options are chosen;
said as rows over the choice, they let its linear relaxation weigh processors against each other.

The rows are the energetic reasoning of P. Baptiste, C. Le Pape, W. Nuijten, "Satisfiability tests and
time-bound adjustments for cumulative scheduling problems", Annals of Operations Research 92, 1999,
https://doi.org/10.1023/A:1018995000688, for windows that are open at one side, with the choice left open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hetero.schedule.arrays import Floats, Ints
from hetero.schedule.bounds import heads, tails
from hetero.schedule.clusters import clustered_heads, clustered_tails
from hetero.schedule.exact.model import Model

__all__ = ["Windows", "add_work_rows", "keep_within", "windows"]

MOST_LEVELS = 40
"""Of heads, and of tails, between which rows are made for each processor."""

MOST_ROWS = 2000
"""Of work in a model: more cost the solver more than they give."""

MOST_CLUSTERED = 1000
"""Options up to which clusters are looked for: some tenths of a second."""

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """For each option, in ticks: its length, the earliest start, and the least time from its end to the last."""

    length: Ints
    head: Ints
    tail: Ints
    fits: npt.NDArray[np.bool_]


def windows(model: Model, horizon: int, *, clusters: bool = True) -> Windows:
    """Heads and tails over the options that fit into the horizon, until no more can be ruled out."""
    arrays = model.arrays
    length = model.whole(arrays.seconds)
    fits = np.ones(arrays.options, dtype=bool)
    clustered = False
    while True:
        left = replace(arrays, seconds=np.where(fits, arrays.seconds, np.inf))
        if clustered:
            earliest = clustered_heads(left, model.horizon_s)
            latest = clustered_tails(left, model.horizon_s)
        else:
            earliest, latest = heads(left), tails(left)
        head, tail = _floor(model, earliest, horizon), _floor(model, latest, horizon)
        fitting = fits & (head + length + tail <= horizon)
        if (fitting == fits).all():
            affordable = clusters and arrays.options <= MOST_CLUSTERED and np.isfinite(model.horizon_s)
            if clustered or not affordable:
                return Windows(length, head, tail, fits)
            clustered = True
        fits = fitting


def _floor(model: Model, bounds: Floats, horizon: int) -> Ints:
    """Bounds in ticks, which must hold for sums of rounded durations too; what is over the horizon is cut."""
    ticks, arrays = model.ticks, model.arrays
    lost = 0 if ticks.exact else 2 * arrays.tasks  # each duration and transfer of a chain loses less than one
    capped = np.minimum(bounds, 2 * model.horizon_s + 1 / ticks.per_unit)
    whole = np.array([ticks.at_least(bound) for bound in capped.tolist()], dtype=np.int64)
    return np.clip(whole - lost, 0, horizon + 1)


def keep_within(model: Model, within: Windows, horizon: int) -> None:
    """Make the starts and ends of tasks, and keep each between the head and the tail of what is taken."""
    cp, arrays = model.cp, model.arrays
    assert model.makespan is not None
    for option in np.flatnonzero(~within.fits).tolist():
        cp.add(model.taken[option] == 0)
    for task in range(arrays.tasks):
        own = model.own(task)
        fitting = np.array([option for option in own if within.fits[option]] or list(own))
        length, head, tail = (values[fitting] for values in (within.length, within.head, within.tail))
        earliest, latest = int(head.min()), max(0, horizon - int(tail.min()))
        start = cp.new_int_var(min(earliest, horizon), max(min(earliest, horizon), latest), f"start{task}")
        end = cp.new_int_var(min(earliest, horizon), max(min(earliest, horizon), latest), f"end{task}")
        model.start.append(start)
        model.end.append(end)
        cp.add(end == start + model.weighted(fitting, length))
        cp.add(start + model.weighted(fitting, length + tail) <= model.makespan)
        # The row implies what follows, but from that alone CP-SAT has raised bounds tick by tick.
        cp.add(end <= model.makespan)
        for option in fitting.tolist():
            rest = int(within.length[option] + within.tail[option])
            cp.add(start + rest <= model.makespan).only_enforce_if(model.taken[option])
        if len(set(head.tolist())) > 1:
            cp.add(start >= model.weighted(fitting, head))


def add_work_rows(model: Model, within: Windows, lowest: int) -> None:
    """Say for each processor how much work fits between heads and tails, where that could matter.

    `lowest` is a makespan that is proven to be needed: rows that even with every option taken come to no
    more say nothing.
    """
    arrays = model.arrays
    assert model.makespan is not None
    if (np.diff(arrays.first) == 1).all():
        return  # nothing to choose: the rows are constants, which the load bound has seen
    rows = [row for processor in range(arrays.processors) for row in _rows(model, within, processor, lowest)]
    rows.sort(key=lambda row: -row.most)
    for row in rows[:MOST_ROWS]:
        worked = model.weighted(row.options, row.work)
        model.cp.add(worked + row.outside * row.capacity <= model.makespan * row.capacity)


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """Options whose work must fit into the makespan less `outside`, and what that comes to at most."""

    options: Ints
    work: Ints
    outside: int
    capacity: int
    most: float


def _rows(model: Model, within: Windows, processor: int, lowest: int) -> Iterator[_Row]:
    arrays = model.arrays
    here = np.flatnonzero((arrays.processor == processor) & within.fits & (within.length > 0))
    if len(here) < 2:
        return
    capacity, cores = int(arrays.capacity[processor]), arrays.cores[here]
    if 2 * cores.min() > capacity:  # one at a time
        capacity, cores = 1, np.ones_like(cores)
    # A task's least head and tail, not the option's own: the row must also hold where none of them is taken.
    head, tail = (
        np.minimum.reduceat(np.where(within.fits, values, NEVER), arrays.first[:-1])[arrays.task[here]]
        for values in (within.head, within.tail)
    )
    work = within.length[here] * cores
    seen: set[bytes] = set()
    for h in _levels(head):
        for t in _levels(tail):
            inside = (head >= h) & (tail >= t)
            if inside.sum() < 2 or (members := inside.tobytes()) in seen:
                continue
            seen.add(members)
            outside = int(head[inside].min() + tail[inside].min())
            most = outside + int(work[inside].sum()) / capacity
            if most > lowest:
                yield _Row(here[inside], work[inside], outside, capacity, most)


def _levels(values: Ints) -> list[int]:
    """The distinct values, thinned out evenly if there are many."""
    distinct = np.unique(values)
    chosen = np.linspace(0, len(distinct) - 1, min(len(distinct), MOST_LEVELS))
    return [int(distinct[place]) for place in np.unique(np.rint(chosen).astype(np.int64))]
