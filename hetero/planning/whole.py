"""What a whole request takes, beyond the sum of its tasks: idle power and rent run as long as it does.

The scheduler limits sums over tasks. The energy of a request is such a sum plus the idle power of the processors in
use for as long as the request takes, and its price is theirs for as long. So a limit on either is turned into limits
that the scheduler knows, for one set of processors after the other:

Of a set with idle power P, and a limit of J joules, a plan of t seconds may spend J - P t on its tasks. The shortest
schedule that spends at most a given sum is no longer than any that keeps the limit; where it breaks the limit itself,
all that keep it take at least its t, so that what they spend is at most J - P t, less than before. Solving with that
again ends at the shortest plan that keeps the limit, or where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeAlias

from hetero.cost import energy, price
from hetero.errors import InfeasibleError
from hetero.limits import Limits
from hetero.machine import Machine, Processor
from hetero.schedule.measures import active_joules, chosen_options
from hetero.schedule.problem import Problem
from hetero.schedule.schedule import Schedule

__all__ = ["Solve", "Solved", "Whole", "keeping_limits", "whole_of"]

Solved: TypeAlias = tuple[Problem, Schedule, float]
"""The problem that was solved, its schedule, and the seconds of a request under contention."""

Solve: TypeAlias = Callable[[Problem, str], Solved]
"""Solves a problem for an objective; raises InfeasibleError."""

ROUNDS = 12
STEPS = 5
SUBSETS_UP_TO = 4
"""Processors of which every set is tried; of more, all together, each alone, and all but each one."""

_SLACK = 1e-9
_STEP = 1e-6


@dataclass(frozen=True, slots=True)
class Whole:
    """What a request takes in all."""

    seconds: float
    joules: float
    dollars: float

    def keeps(self, limits: Limits) -> bool:
        return self.excess(limits) <= 1 + _SLACK

    def excess(self, limits: Limits) -> float:
        """The largest value as a multiple of its limit; 0 where nothing is limited."""
        pairs = (
            (self.seconds, limits.latency_s),
            (self.joules, limits.joules),
            (self.dollars, limits.dollars),
        )
        return max(
            (value / limit if limit else float("inf") for value, limit in pairs if limit is not None),
            default=0,
        )


def whole_of(problem: Problem, schedule: Schedule, seconds: float, machine: Machine) -> Whole:
    """Active energy of the chosen options, the processors in use, idle and paid for, for all of the seconds, and what
    is charged for uses."""
    chosen = chosen_options(problem, [task.option for task in schedule.tasks])
    joules = {
        name: active + energy.joules(machine.processor(name), 0.0, seconds)
        for name, active in active_joules(chosen).items()
    }
    dollars = sum(price.dollars(machine.processor(name), seconds, each) for name, each in joules.items())
    charged = sum(option.dollars for option in chosen if machine.processor(option.processor).charged_by_use)
    return Whole(seconds, sum(joules.values()), dollars + charged)


def keeping_limits(
    problem: Problem,
    objective: str,
    limits: Limits,
    machine: Machine,
    overhead_s: Callable[[Schedule], float],
    solve: Solve,
    is_late: Callable[[], bool],
) -> Solved:
    """The best that was found within the limits on the whole; where there is none, what breaks them least.

    Once it ``is_late``, nothing but the first is solved, and the best so far is taken.

    For latency it is the best that there is, up to contention and the solver's gap. For other objectives a few
    latencies between the shortest and that of the best without limits are tried. Energy and cost are of the whole.

    Raises:
        InfeasibleError: not even the sums over tasks can be kept.
    """

    def whole(found: Solved) -> Whole:
        return whole_of(found[0], found[1], found[2] + overhead_s(found[1]), machine)

    def more(part: Problem, objective: str) -> Solved:
        if is_late():
            raise InfeasibleError("no time is left to look for more")
        return solve(part, objective)

    first = solve(problem, objective)
    sets = list(_sets([machine.processor(p.name) for p in problem.processors]))
    if whole(first).keeps(limits):
        least = _least(problem, objective, limits, sets, whole, more, first)
        return first if least is first else _of(problem, least, first[1].lower_bound)
    tried = [first]
    bound = float("inf")
    for places in sets:
        part = _only(problem, {p.name for p in places})
        within, least_s = _shortest(part, limits, places, whole, more)
        tried += within
        bound = min(bound, least_s)
        if within and objective != "latency" and whole(within[-1]).keeps(limits):
            tried += _between(
                part, objective, limits, places, whole(within[-1]).seconds, whole(first).seconds, more
            )
    kept = [found for found in tried if found[1].objective == objective and whole(found).keeps(limits)]
    if not kept:
        right = [found for found in tried if found[1].objective == objective]
        return _of(problem, min(right, key=lambda found: whole(found).excess(limits)), 0.0)
    best = min(kept, key=lambda found: _value(objective, found, whole))
    return _of(problem, best, bound if objective == "latency" else first[1].lower_bound)


def _value(objective: str, found: Solved, whole: Callable[[Solved], Whole]) -> float:
    """What is minimised: for energy and cost, with idle power and rent."""
    if objective == "latency":
        return found[2]
    if objective == "throughput":
        return found[1].objective_value
    return whole(found).joules if objective == "energy" else whole(found).dollars


def _least(
    problem: Problem,
    objective: str,
    limits: Limits,
    sets: list[tuple[Processor, ...]],
    whole: Callable[[Solved], Whole],
    solve: Solve,
    first: Solved,
) -> Solved:
    """The least energy or cost of the whole: what is frugal task by task may take so long that idling costs more.

    A plan of t seconds on processors that idle at P watts, whose tasks take E joules or more, beats one of W joules
    only if P t < W - E. So ever shorter plans are asked for, each the most frugal within that time, until there are
    none (or ``ROUNDS`` were asked for). Cost is paid by the second, so that the shortest plan of each set is tried.
    """
    best = first
    if objective not in ("energy", "cost"):
        return best
    for places in sets:
        part = _only(problem, {p.name for p in places})
        per_second = _idle_watts(places) if objective == "energy" else _rent(places)
        least_joules = _least_joules(part, places)
        longest = first[1].makespan_s
        for _ in range(ROUNDS if objective == "energy" else 1):
            if per_second <= 0:
                break
            try:
                if objective == "energy":
                    room = _value(objective, best, whole) - least_joules
                    longest = min(longest * (1 - _STEP), room / per_second)
                else:
                    longest = solve(part, "latency")[1].makespan_s
                if longest <= 0:
                    break
                within = min(longest, part.limits.seconds or longest)
                found = solve(replace(part, limits=replace(part.limits, seconds=within)), objective)
            except InfeasibleError:
                break
            longest = found[1].makespan_s
            if whole(found).keeps(limits) and _value(objective, found, whole) < _value(
                objective, best, whole
            ):
                best = found
    return best


def _of(problem: Problem, found: Solved, bound: float) -> Solved:
    """A solution of a part as one of the problem, with a bound that holds for all parts."""
    posed, schedule, seconds = found
    lower = min(bound, schedule.objective_value)
    proven = schedule.objective_value <= lower * (1 + _SLACK)
    # Edges that were added to the posed problem belong to it; the limits and closed processors of a part do not.
    whole = replace(posed, tasks=problem.tasks, limits=problem.limits)
    return whole, replace(schedule, lower_bound=lower, proven_optimal=proven), seconds


def _sets(processors: list[Processor]) -> Iterator[tuple[Processor, ...]]:
    count = len(processors)
    sizes = range(1, count + 1) if count <= SUBSETS_UP_TO else sorted({1, count - 1, count})
    for size in sizes:
        yield from combinations(processors, size)


def _only(problem: Problem, names: set[str]) -> Problem:
    """The problem with every other processor closed: its options stay in their places, and need more cores than it
    has."""
    cores = {p.name: p.cores for p in problem.processors}
    tasks = tuple(
        replace(
            task,
            options=tuple(
                o
                if o.processor in names
                else replace(o, cores=cores[o.processor] + 1, seconds=max(o.seconds, 1e-9))
                for o in task.options
            ),
        )
        for task in problem.tasks
    )
    return replace(problem, tasks=tasks)


def _shortest(
    part: Problem,
    limits: Limits,
    places: tuple[Processor, ...],
    whole: Callable[[Solved], Whole],
    solve: Solve,
) -> tuple[list[Solved], float]:
    """Schedules of falling energy, each the shortest for what it may spend, of which the last keeps the limits if any
    does; and a bound on the makespan of all that keep them: infinite where there are none."""
    watts, least_joules = _idle_watts(places), _least_joules(part, places)
    found: list[Solved] = []
    bound, sound = 0.0, True  # sound: nothing that keeps the limits has been ruled out
    budget = limits.joules
    for _ in range(ROUNDS):
        if budget is not None and budget < least_joules * (1 - _SLACK):
            return found, float("inf") if sound else bound
        try:
            found.append(solve(replace(part, limits=replace(part.limits, joules=budget)), "latency"))
        except InfeasibleError:
            break
        if sound:
            bound = found[-1][1].lower_bound
        sound = sound and found[-1][1].proven_optimal
        took = whole(found[-1])
        if took.keeps(limits) or budget is None or limits.joules is None:
            break
        left = limits.joules - watts * found[-1][1].makespan_s
        if left >= budget * (1 - _SLACK):  # only contention breaks the limit
            left, sound = limits.joules - watts * took.seconds, False
        if left >= budget * (1 - _SLACK):
            break
        budget = left
    return found, bound


def _idle_watts(places: tuple[Processor, ...]) -> float:
    return sum(p.idle_watts for p in places)


def _rent(places: tuple[Processor, ...]) -> float:
    """Dollars a second for having the processors, idle: also what is paid for nothing but electricity costs that."""
    return sum(price.dollars(p, 1.0, p.idle_watts) for p in places)


def _least_joules(part: Problem, places: tuple[Processor, ...]) -> float:
    """What the tasks take at least on these processors; infinite where one cannot run there."""
    names = {p.name for p in places}
    return sum(
        min((o.joules for o in task.options if o.processor in names), default=float("inf"))
        for task in part.tasks
    )


def _between(
    part: Problem,
    objective: str,
    limits: Limits,
    places: tuple[Processor, ...],
    shortest_s: float,
    longest_s: float,
    solve: Solve,
) -> list[Solved]:
    """The best in the objective among the schedules of at most some latencies, with what each leaves for the tasks."""
    watts, rent = _idle_watts(places), _rent(places)
    found = []
    for step in range(STEPS + 1):
        seconds = shortest_s * (max(longest_s, shortest_s) / shortest_s) ** (step / STEPS)
        if limits.dollars is not None and rent * seconds > limits.dollars * (1 + _SLACK):
            continue
        joules = None if limits.joules is None else limits.joules - watts * seconds
        if joules is not None and joules < 0:
            continue
        limited = replace(part.limits, seconds=min(seconds, part.limits.seconds or seconds), joules=joules)
        try:
            found.append(solve(replace(part, limits=limited), objective))
        except InfeasibleError:
            continue
    return found
