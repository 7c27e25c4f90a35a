"""The trade-off between two objectives: the schedules that none other beats in both.

The epsilon-constraint method: solve for the first objective, tighten the limit on the second to just under
what that schedule takes, and repeat until nothing fits (Y. Haimes, L. Lasdon, D. Wismer, "On a bicriterion
formulation of the problems of integrated system identification and system optimization", IEEE Trans. SMC 1,
1971, https://doi.org/10.1109/TSMC.1971.4308298). Exact where each solve is proven.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace

from hetero.errors import InfeasibleError, ProblemError, UnknownNameError
from hetero.schedule.clock import now
from hetero.schedule.measures import chosen_options, period_s, total
from hetero.schedule.problem import Limits, Problem
from hetero.schedule.schedule import OBJECTIVES, Objective, Schedule
from hetero.schedule.solve import solve

__all__ = ["Frontier", "Point", "frontier"]

LIMIT_OF = {"latency": "seconds", "energy": "joules", "cost": "dollars"}
QUICK_TASKS = 30
SOLVE_S = 0.5
"""What a solve of more tasks than that should have at least; a point takes two."""

STEP = 1e-6
"""How much better, relative to the last point, the next must be in the second objective."""


@dataclass(frozen=True, slots=True)
class Point:
    """A schedule, its values of the two objectives, and the proven gap of the first value."""

    schedule: Schedule
    values: tuple[float, float]
    gap: float


@dataclass(frozen=True, slots=True)
class Frontier:
    """Points by increasing first value; `exact` where they are proven to be all there are."""

    over: tuple[Objective, Objective]
    points: tuple[Point, ...]
    exact: bool

    @property
    def gap(self) -> float:
        """The largest proven gap of a point's first value, given its second: 0 where all are optimal."""
        return max(point.gap for point in self.points)


def frontier(
    problem: Problem,
    *,
    over: tuple[Objective, Objective] = ("latency", "energy"),
    limits: Limits | None = None,
    budget_seconds: float = 10.0,
    max_points: int = 20,
    seed: int = 0,
) -> Frontier:
    """The Pareto set over two objectives; throughput can only be the first of them.

    Half of `max_points` walk along the set without leaving anything out. If they do not reach its other
    end, the rest are spread evenly over what is left, and the result is not `exact`. Of large problems there
    are as many points as the budget has time for.

    Raises `InfeasibleError` where nothing fits the limits.
    """
    first, second = _checked(over)
    walk = _Walk(problem, first, second, problem.limits.merged(limits), budget_seconds, max_points, seed)
    points, complete = walk.points()
    exact = complete and all(point.gap == 0.0 for point in points)
    return Frontier((first, second), _undominated(points), exact)


class _Walk:
    """Solves for one objective under tightening limits on the other."""

    def __init__(
        self,
        problem: Problem,
        first: Objective,
        second: Objective,
        limits: Limits,
        budget_seconds: float,
        max_points: int,
        seed: int,
    ) -> None:
        self._problem, self._first, self._second = problem, first, second
        few = max_points
        if (
            len(problem.tasks) > QUICK_TASKS
        ):  # a solve is worth waiting for: fewer of them, each with more time
            few = min(max_points, int(budget_seconds / (2 * SOLVE_S)))
        self._limits, self._max_points, self._seed = limits, max(2, few), seed
        self._deadline = now() + budget_seconds
        self._solves_left = 2 * self._max_points + 1

    def points(self) -> tuple[list[Point], bool]:
        """The points, in order, and whether the walk left nothing out."""
        end = self._solve(self._second, self._limits)
        least = end.objective_value
        first = self._point(self._limits, self._solve(self._first, self._limits))
        points = [first]
        for _ in range(self._max_points // 2 - 1):
            worst = points[-1].values[1]
            if worst <= least * (1 + STEP):
                return points, end.proven_optimal
            point = self._within(max(least, worst * (1 - STEP)))
            if point is None:
                break
            points.append(point)
        worst = points[-1].values[1]
        if worst <= least * (1 + STEP):
            return points, end.proven_optimal
        rest = self._max_points - len(points)
        for number in range(1, rest + 1):
            point = self._within(worst + (least - worst) * number / rest)
            if point is not None:
                points.append(point)
        if points[-1].values[1] > least:  # the walk's other end is known, if not how good it is in the first
            points.append(self._end(end, first))
        return points, False

    def _within(self, value: float) -> Point | None:
        """The best in the first objective under a limit on the second; None where time was too short to find any."""
        if now() >= self._deadline:
            return None
        limits = self._limited(self._second, value)
        try:
            return self._point(limits, self._solve(self._first, limits))
        except (
            InfeasibleError
        ):  # what has so little of the second is there (the walk's end), and was not found again
            return None

    def _point(self, limits: Limits, best: Schedule) -> Point:
        """The best in the first objective and, of those, the best in the second that is found."""
        gap = 0.0 if best.proven_optimal else best.gap
        if self._first in LIMIT_OF:
            within = replace(limits, **{LIMIT_OF[self._first]: best.objective_value})
            with contextlib.suppress(
                InfeasibleError
            ):  # not found again in time: the one in the hand keeps both
                best = self._solve(self._second, within)
        return Point(best, (self._value(best, self._first), self._value(best, self._second)), gap)

    def _end(self, schedule: Schedule, first: Point) -> Point:
        """The best in the second objective: in the first it is at least as much as the best of all."""
        value = self._value(schedule, self._first)
        least = first.values[0] * (1 - first.gap)
        return Point(
            schedule, (value, self._value(schedule, self._second)), 1 - least / value if value else 0.0
        )

    def _solve(self, objective: Objective, limits: Limits) -> Schedule:
        share = max(0.0, self._deadline - now()) / max(1, self._solves_left)
        self._solves_left -= 1
        return solve(self._problem, objective=objective, limits=limits, budget_seconds=share, seed=self._seed)

    def _limited(self, objective: Objective, value: float) -> Limits:
        return replace(self._limits, **{LIMIT_OF[objective]: value})

    def _value(self, schedule: Schedule, objective: Objective) -> float:
        chosen = chosen_options(self._problem, [placement.option for placement in schedule.tasks])
        match objective:
            case "latency":
                return schedule.makespan_s
            case "throughput":
                return period_s(self._problem, chosen)
            case "energy":
                return total(chosen, "joules")
            case "cost":
                return total(chosen, "dollars")


def _checked(over: tuple[Objective, Objective]) -> tuple[Objective, Objective]:
    for objective in over:
        if objective not in OBJECTIVES:
            raise UnknownNameError("objective", objective, OBJECTIVES)
    if len(over) != 2 or over[0] == over[1] or over[1] == "throughput":
        raise ProblemError(
            f"frontier over {over}; give two different objectives, throughput only as the first"
        )
    return over


def _undominated(points: list[Point]) -> tuple[Point, ...]:
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: point.values):
        if not kept or point.values[1] < kept[-1].values[1]:
            kept.append(point)
    return tuple(kept)
