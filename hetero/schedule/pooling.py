"""Equal processors as one with all their cores, where it makes no difference which of them a task uses.

Without transfers and memory between them, p equal processors of one core are one processor of p cores:
intervals that overlap at most p-fold can always be dealt out to p processors, in order of their starts.
A solver that sees one processor has no symmetric copies of each schedule to refute.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hetero.schedule.arrays import Arrays, Ints
from hetero.schedule.draft import Draft

__all__ = ["Pool", "pooled"]


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """A problem with equal processors merged, and the way back from its drafts."""

    whole: Arrays
    arrays: Arrays
    members: list[list[int]]  # processors of the whole problem, by processor of the merged one
    same: Ints  # for each option of the whole problem, the one of the merged problem that stands for it

    def unpool(self, draft: Draft) -> Draft:
        """The draft with each task on a definite processor."""
        option_on = {
            (int(merged), int(place)): number
            for number, (merged, place) in enumerate(zip(self.same, self.whole.processor, strict=True))
        }
        option = np.empty(self.whole.tasks, dtype=np.int64)
        free_s = [[0.0] * len(group) for group in self.members]
        ends = draft.start_s + self.arrays.seconds[draft.option]
        for task in np.lexsort((ends, draft.start_s)).tolist():
            merged = int(draft.option[task])
            place = int(self.arrays.processor[merged])
            free = free_s[place]
            lane = min(range(len(free)), key=free.__getitem__)
            if self.arrays.seconds[merged] > 0:
                free[lane] = float(ends[task])
            option[task] = option_on[merged, self.members[place][lane]]
        return Draft(option, draft.start_s, draft.makespan_s, draft.method)


def pooled(arrays: Arrays) -> Pool | None:
    """The merged problem, or None where no processors can be merged."""
    groups = _equal_processors(arrays)
    if len(groups) == arrays.processors:
        return None
    leader = np.array([group[0] for group in groups])
    number = np.empty(arrays.processors, dtype=np.int64)
    for position, group in enumerate(groups):
        number[group] = position
    kept = np.isin(arrays.processor, leader)
    merged = arrays.only(kept)
    merged = replace(
        merged,
        processor=number[merged.processor],
        capacity=np.array([arrays.capacity[group].sum() for group in groups]),
        memory_capacity=arrays.memory_capacity[leader],
        latency=arrays.latency[np.ix_(leader, leader)],
        rate=arrays.rate[np.ix_(leader, leader)],
    )
    return Pool(arrays, merged, groups, _same(arrays, kept, number))


def _equal_processors(arrays: Arrays) -> list[list[int]]:
    """Groups of processors that nothing tells apart; a processor with a limit of memory stays alone."""
    groups: dict[tuple[object, ...], list[int]] = {}
    moves_data = bool((arrays.nbytes > 0).any())
    for processor in range(arrays.processors):
        here = arrays.processor == processor
        mergeable = (
            not moves_data
            and arrays.capacity[processor] == 1
            and np.isinf(arrays.memory_capacity[processor])
            and (arrays.key[here] < 0).all()
            and _one_option_a_task(arrays, here)
        )
        columns = (arrays.task, arrays.seconds, arrays.cores, arrays.memory, arrays.joules, arrays.dollars)
        look = tuple(column[here].tobytes() for column in (*columns, arrays.error))
        groups.setdefault((look if mergeable else processor,), []).append(processor)
    return list(groups.values())


def _one_option_a_task(arrays: Arrays, here: npt.NDArray[np.bool_]) -> bool:
    return bool(len(np.unique(arrays.task[here])) == int(here.sum()))


def _same(arrays: Arrays, kept: npt.NDArray[np.bool_], number: Ints) -> Ints:
    """The merged option of each option: that of its task on its group's first processor."""
    position = np.cumsum(kept) - 1
    leading: dict[tuple[int, int], int] = {}
    of = list(zip(arrays.task.tolist(), number[arrays.processor].tolist(), strict=True))
    for option in np.flatnonzero(kept).tolist():
        leading.setdefault(of[option], int(position[option]))
    return np.array(
        [int(position[o]) if kept[o] else leading[of[o]] for o in range(arrays.options)], dtype=np.int64
    )
