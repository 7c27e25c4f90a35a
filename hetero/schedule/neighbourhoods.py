"""Large neighbourhoods: a part of a schedule is made anew by CP-SAT, the rest keeps its options and its order.

P. Shaw, "Using constraint programming and local search methods to solve vehicle routing problems", CP 1998,
https://doi.org/10.1007/3-540-49481-2_30. The rest keeps its order, not its times (D. Godard, P. Laborie, W. Nuijten,
"Randomized large neighborhood search for cumulative scheduling", ICAPS 2005), so that what is saved in the part is
saved at the end.
"""

from __future__ import annotations

import heapq

import numpy as np
import numpy.typing as npt

from hetero.schedule.arrays import Arrays, Floats, Ints
from hetero.schedule.clock import now
from hetero.schedule.draft import Draft, arrivals
from hetero.schedule.effort import Effort
from hetero.schedule.local_search import lanes
from hetero.schedule.problem import Limits

__all__ = ["SECONDS_EACH", "Neighbourhoods", "order_on_cores", "slack", "worth_while"]

MOST_TASKS = 200
"""Of more, writing the model down takes longer than moving single tasks needs to gain as much."""

SECONDS_EACH = 0.02
"""Of CP-SAT's deterministic time for one part; what it has not found by then, it finds sooner in a smaller part."""

FIRST_SIZE, LEAST_SIZE = 16.0, 4.0
GROWTH, SHRINKING = 1.05, 0.9
"""Of the number of tasks that are free, after a part that was searched to its end, and after one that was not."""


def worth_while(arrays: Arrays) -> bool:
    """Whether parts made anew gain more than moves of single tasks: where there are no lanes to move them on."""
    return arrays.tasks <= MOST_TASKS and lanes(arrays) is None


class Neighbourhoods:
    """A search that can be continued; `best` is its best schedule so far."""

    def __init__(self, arrays: Arrays, limits: Limits, begin: Draft, seed: int) -> None:
        """From a valid draft."""
        self._arrays, self._limits = arrays, limits
        self._random = np.random.default_rng(seed)
        self._size = FIRST_SIZE
        self.best = begin

    def search_until(self, deadline: float, target_s: float) -> None:
        """Search until `clock.now()` reaches `deadline` or a schedule of `target_s` is found."""
        while now() < deadline and self.best.makespan_s > target_s * (1 + 1e-12):
            self._improve(target_s, deadline - now())

    def iterate(self, parts: int, target_s: float) -> None:
        """Make so many parts anew, fewer if a schedule of `target_s` is found; a rerun does the same."""
        for _ in range(parts):
            if self.best.makespan_s > target_s * (1 + 1e-12):
                self._improve(target_s, np.inf)

    def _improve(self, target_s: float, seconds: float) -> None:
        from hetero.schedule.exact import shorten_part

        free = self._draw()
        outcome = shorten_part(
            self._arrays,
            self._limits,
            self.best,
            free,
            order_on_cores(self._arrays, self.best, ~free),
            lower_s=target_s,
            effort=Effort(seconds, SECONDS_EACH, int(self._random.integers(1 << 30))),
        )
        if outcome.draft is not None and outcome.draft.makespan_s < self.best.makespan_s:
            self.best = outcome.draft
        finished = outcome.infeasible or outcome.draft is not None
        self._size *= GROWTH if finished else SHRINKING
        self._size = min(max(self._size, LEAST_SIZE), float(self._arrays.tasks))

    def _draw(self) -> npt.NDArray[np.bool_]:
        """The tasks to make anew: near a moment everywhere or on some processors, or those that hold up the end."""
        arrays, draft, draw = self._arrays, self.best, self._random
        middle = draft.start_s + arrays.seconds[draft.option] / 2
        kind = draw.integers(3)
        if kind < 2:
            far = np.abs(middle - draw.uniform(0.0, draft.makespan_s))
            if kind == 1 and arrays.processors > 2:
                chosen = draw.choice(arrays.processors, 1 + arrays.processors // 3, replace=False)
                far[~np.isin(arrays.processor[draft.option], chosen)] += draft.makespan_s
        else:
            far = slack(arrays, draft) * draw.uniform(size=arrays.tasks)
            far += draft.makespan_s * 1e-9 * draw.uniform(size=arrays.tasks)  # critical tasks in any order
        free = np.zeros(arrays.tasks, dtype=bool)
        free[np.argsort(far, kind="stable")[: round(self._size)]] = True
        return free


def order_on_cores(arrays: Arrays, draft: Draft, kept: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Pairs of `kept` tasks of which the second takes over cores of the first: enough to keep them apart."""
    came_free: list[list[tuple[float, int]]] = [[(0.0, -1)] * int(cores) for cores in arrays.capacity]
    pairs: set[tuple[int, int]] = set()
    for task in _in_order(arrays, draft).tolist():
        option = int(draft.option[task])
        if not kept[task] or arrays.seconds[option] == 0:
            continue
        cores = came_free[arrays.processor[option]]
        end_s = float(draft.start_s[task] + arrays.seconds[option])
        for _ in range(int(arrays.cores[option])):
            pairs.add((heapq.heappop(cores)[1], task))
        for _ in range(int(arrays.cores[option])):
            heapq.heappush(cores, (end_s, task))
    return sorted(pair for pair in pairs if pair[0] >= 0)


def slack(arrays: Arrays, draft: Draft) -> Floats:
    """Seconds by which each task could end later without the schedule's end, while options and order are kept."""
    seconds = arrays.seconds[draft.option]
    onward: list[list[tuple[int, float]]] = [[] for _ in range(arrays.tasks)]
    for before, after in order_on_cores(arrays, draft, np.ones(arrays.tasks, dtype=bool)):
        onward[before].append((after, 0.0))
    for edge, delay in enumerate(arrivals(arrays, draft.option).tolist()):
        onward[arrays.source[edge]].append((int(arrays.target[edge]), delay))
    tail = np.zeros(arrays.tasks)
    for task in _in_order(arrays, draft)[::-1].tolist():
        tail[task] = max((delay + seconds[after] + tail[after] for after, delay in onward[task]), default=0.0)
    left: Floats = np.maximum(0.0, draft.makespan_s - draft.start_s - seconds - tail)
    return left


def _in_order(arrays: Arrays, draft: Draft) -> Ints:
    """Tasks by start; where several begin at once, those that take no time in the order of the graph first."""
    position = np.empty(arrays.tasks, dtype=np.int64)
    position[arrays.order] = np.arange(arrays.tasks)
    order: Ints = np.lexsort((position, draft.start_s + arrays.seconds[draft.option], draft.start_s))
    return order
