"""Making a choice of processors fit their memory: moves and trades, as in bin packing.

What a move costs is judged without a schedule: by a task's own seconds and by the transfers to and from its neighbours.
Groups move, not tasks: a group is one task, or all tasks that share a resident copy, since moving only some of those
that are on a processor frees nothing.

The step from one full bin to another by trades of unequal items is that of exchange heuristics for the generalized
assignment problem; see S. Martello, P. Toth, "Knapsack problems", Wiley, 1990, chapter 7.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hetero.schedule.arrays import Arrays, Floats, Ints

__all__ = ["Packing", "choices", "held_bytes"]

TINY = 1e-12  # of a capacity: less is rounding
MOST_DELAYS = 30_000_000
"""Edges times pairs of processors; beyond, transfers are not looked at."""


def held_bytes(arrays: Arrays, option: Ints) -> Floats:
    """Resident bytes on each processor; a shared copy counts once, at its largest."""
    own = option[arrays.key[option] < 0]
    held = np.zeros(arrays.processors)
    np.add.at(held, arrays.processor[own], arrays.memory[own])
    shared = option[arrays.key[option] >= 0]
    sizes = np.zeros(int(arrays.key.max(initial=-1)) + 1)
    np.maximum.at(sizes, arrays.key[shared], arrays.memory[shared])
    for key in np.flatnonzero(sizes).tolist():
        held[arrays.processor[arrays.key == key][0]] += sizes[key]
    return held


class Packing:
    """An option for each task, changed until it fits. `lean` chooses among a processor's options by bytes first."""

    def __init__(self, arrays: Arrays, option: Ints, *, lean: bool) -> None:
        self._arrays = arrays
        self._choice = choices(arrays, arrays.memory if lean else arrays.seconds)
        self._group = _groups(arrays)
        self._needs = _group_bytes(arrays, self._choice, self._group)
        self._place = arrays.processor[option].copy()
        self._delays = _delays(arrays)
        tasks = np.arange(arrays.tasks)
        self._seconds = np.where(self._choice >= 0, arrays.seconds[self._choice], np.inf)
        self._place = np.where(
            self._choice[tasks, self._place] >= 0, self._place, self._choice.argmax(axis=1)
        )

    @property
    def option(self) -> Ints:
        """The chosen option of each task."""
        chosen: Ints = self._choice[np.arange(self._arrays.tasks), self._place]
        return chosen

    def fits(self) -> bool:
        """Whether every processor holds what it was given, by the problem's own rules."""
        held = held_bytes(self._arrays, self.option)
        return bool((held <= self._arrays.memory_capacity * (1 + TINY)).all())

    def repair(self) -> bool:
        """Move and trade groups, the cheapest for the bytes that it saves first; whether everything fits then."""
        while True:
            counts = self._counts()
            held = np.where(counts > 0, self._needs, 0.0).sum(axis=0)
            room = self._arrays.memory_capacity * (1 + TINY) - held
            full = int(room.argmin())
            if room[full] >= 0:
                return self.fits()
            costs = self._costs()
            if not (
                self._move(full, counts, room, costs)
                or self._trade(full, counts, room, costs)
                or self._merge(counts, costs)
            ):
                return False

    def _counts(self) -> Ints:
        """How many tasks of each group are on each processor."""
        counts = np.zeros(self._needs.shape, dtype=np.int64)
        np.add.at(counts, (self._group, self._place), 1)
        return counts

    def _costs(self) -> Floats:
        """n x p: seconds of each task there, with the transfers to and from its neighbours where they are now."""
        arrays, place = self._arrays, self._place
        costs: Floats = self._seconds.copy()
        if self._delays is not None:
            edges = np.arange(arrays.edges)
            np.add.at(costs, arrays.target, self._delays[edges, place[arrays.source], :])
            np.add.at(costs, arrays.source, self._delays[edges, :, place[arrays.target]])
        return costs

    def _group_costs(self, here: int, costs: Floats) -> Floats:
        """g x p: what more it costs to have there all tasks of a group that are on one processor."""
        tasks = np.flatnonzero(self._place == here)
        more = np.zeros(self._needs.shape)
        with np.errstate(invalid="ignore"):  # infinite here and there: no number, and then no move
            np.add.at(more, self._group[tasks], costs[tasks] - costs[tasks, here][:, None])
        return np.where(np.isnan(more), np.inf, more)

    def _move(self, full: int, counts: Ints, room: Floats, costs: Floats) -> bool:
        """Move the group for which each byte saved costs least, if one fits elsewhere."""
        more = self._group_costs(full, costs)
        needs = np.where(counts > 0, 0.0, self._needs)
        saved = np.minimum(self._needs[:, full], -room[full])
        possible = (counts[:, full] > 0)[:, None] & (saved > 0)[:, None] & (needs <= room) & np.isfinite(more)
        possible[:, full] = False
        if not possible.any():
            return False
        with np.errstate(divide="ignore", invalid="ignore"):
            price = np.where(possible, more / saved[:, None], np.inf)
        group, there = np.unravel_index(int(price.argmin()), price.shape)
        self._put(int(group), full, int(there))
        return True

    def _trade(self, full: int, counts: Ints, room: Floats, costs: Floats) -> bool:
        """Trade a group for a smaller one elsewhere, so that fewer bytes are too many in all."""
        best_price, best = np.inf, None
        going = self._group_costs(full, costs)
        for there in range(self._arrays.processors):
            if there == full:
                continue
            ours, theirs = np.flatnonzero(counts[:, full]), np.flatnonzero(counts[:, there])
            coming = self._group_costs(there, costs)
            lost = np.where(counts[ours, there] > 0, 0.0, self._needs[ours, there])
            won = np.where(counts[theirs, full] > 0, 0.0, self._needs[theirs, full])
            room_here = room[full] + self._needs[ours, full][:, None] - won[None, :]
            room_there = room[there] + self._needs[theirs, there][None, :] - lost[:, None]
            over = np.maximum(0.0, -room_here) + np.maximum(0.0, -room_there)
            saved = -room[full] + max(0.0, -float(room[there])) - over
            cost = going[ours, there][:, None] + coming[theirs, full][None, :]
            least = TINY * float(self._needs.sum())
            possible = (saved > least) & np.isfinite(cost) & (ours[:, None] != theirs[None, :])
            if not possible.any():
                continue
            price = np.full(cost.shape, np.inf)
            price[possible] = (cost[possible] + np.abs(cost[possible]).max()) / saved[possible]
            row, column = np.unravel_index(int(price.argmin()), price.shape)
            if price[row, column] < best_price:
                best_price, best = float(price[row, column]), (int(ours[row]), int(theirs[column]), there)
        if best is None:
            return False
        ours_moved, theirs_moved, there = best
        going_tasks = np.flatnonzero((self._group == ours_moved) & (self._place == full))
        self._put(theirs_moved, there, full)
        self._place[going_tasks] = there
        return True

    def _merge(self, counts: Ints, costs: Floats) -> bool:
        """Save bytes somewhere by sending the users of one copy to another copy, where that costs least."""
        best_cost, best = np.inf, None
        for here in range(self._arrays.processors):
            more = self._group_costs(here, costs)
            twice = (counts[:, here] > 0) & (self._needs[:, here] > 0)
            possible = twice[:, None] & (counts > 0)
            possible[:, here] = False
            more[~possible] = np.inf
            group, there = np.unravel_index(int(more.argmin()), more.shape)
            if more[group, there] < best_cost:
                best_cost, best = float(more[group, there]), (int(group), here, int(there))
        if best is None:
            return False
        self._put(*best)
        return True

    def _put(self, group: int, here: int, there: int) -> None:
        self._place[(self._group == group) & (self._place == here)] = there


def choices(arrays: Arrays, by: Floats) -> Ints:
    """n x p: for each task the option with the least of `by` on each processor, -1 where there is none."""
    choice = np.full((arrays.tasks, arrays.processors), -1, dtype=np.int64)
    last_wins = np.lexsort((-arrays.seconds, -by))
    choice[arrays.task[last_wins], arrays.processor[last_wins]] = last_wins
    return choice


def _groups(arrays: Arrays) -> Ints:
    """A number for each task, the same for tasks that may share a copy."""
    parent = list(range(arrays.tasks))

    def root(task: int) -> int:
        while parent[task] != task:
            parent[task] = parent[parent[task]]
            task = parent[task]
        return task

    first_of: dict[int, int] = {}
    for option in np.flatnonzero(arrays.key >= 0).tolist():
        task = int(arrays.task[option])
        parent[root(task)] = root(first_of.setdefault(int(arrays.key[option]), task))
    return np.unique([root(task) for task in range(arrays.tasks)], return_inverse=True)[1].astype(np.int64)


def _group_bytes(arrays: Arrays, choice: Ints, group: Ints) -> Floats:
    """g x p: what a group holds on each processor, at most; infinite where one of its tasks cannot be there."""
    needs = np.zeros((int(group.max(initial=-1)) + 1, arrays.processors))
    for place in range(arrays.processors):
        able = choice[:, place] >= 0
        chosen = choice[able, place]
        own = arrays.key[chosen] < 0
        np.add.at(needs[:, place], group[able][own], arrays.memory[chosen[own]])
        for key in np.unique(arrays.key[chosen[~own]]).tolist():
            members = arrays.key == key
            needs[group[arrays.task[members][0]], place] += arrays.memory[members].max()
    return needs


def _delays(arrays: Arrays) -> npt.NDArray[np.float32] | None:
    """m x p x p seconds of each edge between each two processors, infinite where there is no link."""
    if arrays.edges * arrays.processors**2 > MOST_DELAYS:
        return None
    moving = arrays.nbytes[:, None, None]
    with np.errstate(invalid="ignore"):
        delays = np.where(moving > 0, arrays.latency + moving / arrays.rate, 0.0).astype(np.float32)
    here = np.arange(arrays.processors)
    delays[:, here, here] = 0.0
    return delays
