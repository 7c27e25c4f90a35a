"""What running side by side does to durations.

The scheduler solves on times that were measured alone. Tasks that overlap on one processor share caches, memory
bandwidth and, with hyperthreads, execution units. The model is small: with ``n`` cores of a processor busy with
more than one task, each task runs at the speed that was measured for ``n`` busy cores (``hetero.cost.contention``).
Python functions share one interpreter lock on top of that: ``n`` of them at once run at 1/n of their speed each, and
lose more by handing the lock over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias

from hetero.schedule.problem import Edge, Option, Problem, Task
from hetero.schedule.schedule import Placement, Schedule

__all__ = [
    "LOCK_EFFICIENCY",
    "Contention",
    "Locks",
    "Way",
    "chained",
    "chosen_of",
    "contended_makespan",
    "holders",
    "in_turn",
    "needs_of",
    "overlaps",
    "retimed",
    "taking_turns",
    "weighted",
]

Locks: TypeAlias = Mapping[str, Set[int]]
"""For each Python function the numbers of its options that hold the interpreter lock."""


Way: TypeAlias = tuple[str, int]
"""A task and the number of its option."""


@dataclass(frozen=True, slots=True)
class Contention:
    """Speed of one core while others are busy, relative to it being alone (0 < speed <= 1), by busy cores; and that of
    the first of two ways beside the second, where it was measured: above 1 where its own profile was slow.

    >>> Contention({2: 0.8}).speed(1), Contention({2: 0.8}).speed(2)
    (1.0, 0.8)
    """

    efficiency: Mapping[int, float]
    pairs: Mapping[tuple[Way, Way], float] = field(default_factory=dict)

    def speed(self, busy_cores: int) -> float:
        known = [n for n in self.efficiency if n <= busy_cores]
        return self.efficiency[max(known)] if known else 1.0

    def beside(self, way: Way, others: Sequence[Way], busy_cores: int) -> float:
        """The speed of a task beside others on its processor.

        A pair's is what was measured. Of more at once the slowest that the pairs and the model say.
        """
        known = [self.pairs[way, other] for other in others if (way, other) in self.pairs]
        modelled = [] if len(known) == len(others) <= 1 else [self.speed(busy_cores)]
        return min([*known, *modelled], default=1.0)

    def at_worst(self, way: Way, cores: int) -> float:
        """The slowest that a task was measured at beside another one; where it never was, with all cores busy."""
        return min(
            1.0, min((s for (one, _), s in self.pairs.items() if one == way), default=self.speed(cores))
        )


LOCK_EFFICIENCY = 0.7
"""What is left of one thread's speed when several share the interpreter lock: two support vector machines fitted in two
threads took 681 ms, one after the other 452 ms."""


def chained(problem: Problem, schedule: Schedule, locked: Set[str]) -> Problem:
    """The problem in which tasks that hold the interpreter lock run one after the other, in the schedule's order."""
    order = [t.name for t in sorted(schedule.tasks, key=lambda t: (t.start_s, t.end_s)) if t.name in locked]
    joined = {(edge.source, edge.target) for edge in problem.edges}
    chain = tuple(Edge(a, b, 0.0) for a, b in pairwise(order) if (a, b) not in joined)
    return replace(problem, edges=(*problem.edges, *chain))


def holders(schedule: Schedule, locks: Locks) -> frozenset[str]:
    """The tasks that hold the interpreter lock under a schedule."""
    return frozenset(t.name for t in schedule.tasks if t.option in locks.get(t.name, ()))


def taking_turns(problem: Problem, schedule: Schedule, locks: Locks) -> Iterator[Problem]:
    """The problem in which each option that holds the lock takes as long as it would beside those that overlapped it.

    There is none where no task that waited for its turn has an option that would not.
    """
    held = holders(schedule, locks)
    tasks = {t.name: t for t in schedule.tasks if t.name in held}
    turns = {
        name: sum(o.start_s < t.end_s and t.start_s < o.end_s for o in tasks.values())
        for name, t in tasks.items()
    }
    options = {task.name: task.options for task in problem.tasks}
    if not any(n > 1 and len(options[name]) > len(locks[name]) for name, n in turns.items()):
        return

    def slower(task: Task) -> Task:
        times = turns.get(task.name, 1)
        return replace(
            task,
            options=tuple(
                replace(option, seconds=option.seconds * times) if i in locks.get(task.name, ()) else option
                for i, option in enumerate(task.options)
            ),
        )

    yield replace(problem, tasks=tuple(map(slower, problem.tasks)))


def weighted(problem: Problem, contention: Contention) -> Problem:
    """The problem in which every option that leaves cores for others takes as long as beside the worst known."""
    cores = {p.name: p.cores for p in problem.processors}

    def slower(task: Task) -> Task:
        options = tuple(
            option
            if option.cores >= cores[option.processor]
            else replace(
                option, seconds=option.seconds / contention.at_worst((task.name, i), cores[option.processor])
            )
            for i, option in enumerate(task.options)
        )
        return replace(task, options=options)

    return replace(problem, tasks=tuple(map(slower, problem.tasks)))


def in_turn(problem: Problem) -> Problem:
    """The problem in which every option holds its processor: whatever solves it solves the other one too."""
    cores = {p.name: p.cores for p in problem.processors}

    def alone(option: Option) -> Option:
        return replace(option, cores=max(option.cores, cores[option.processor]))

    tasks = tuple(replace(task, options=tuple(map(alone, task.options))) for task in problem.tasks)
    return replace(problem, tasks=tasks)


def overlaps(problem: Problem, schedule: Schedule) -> list[tuple[Placement, Placement]]:
    """The pairs of tasks that run at the same time on one processor, in the order of their starts."""
    where = {name: option.processor for name, option in chosen_of(problem, schedule.tasks).items()}
    found = []
    running: list[Placement] = []
    for task in sorted(schedule.tasks, key=lambda t: (t.start_s, t.end_s, t.name)):
        running = [other for other in running if other.end_s > task.start_s]
        if task.end_s > task.start_s:
            found += [(other, task) for other in running if where[other.name] == where[task.name]]
            running.append(task)
    return found


def retimed(problem: Problem, schedule: Schedule) -> Schedule:
    """The same decisions and starts with this problem's durations, which are not longer than those solved with."""
    options = chosen_of(problem, schedule.tasks)
    tasks = tuple(replace(t, end_s=t.start_s + options[t.name].seconds) for t in schedule.tasks)
    makespan = max((t.end_s for t in tasks), default=0.0)
    return replace(schedule, tasks=tasks, makespan_s=makespan, objective_value=makespan)


def contended_makespan(
    problem: Problem, schedule: Schedule, contention: Contention, locked: Set[str] = frozenset()
) -> float:
    """The makespan when overlapping tasks slow each other down: the same order, longer durations.

    ``locked`` are the tasks that hold the interpreter lock.

    An event simulation: a task starts when its predecessors' data has arrived and the tasks that the schedule put
    before it on its processor's cores are done, and progresses at the speed that the busy cores leave it.
    """
    options = chosen_of(problem, schedule.tasks)
    numbers = {t.name: t.option for t in schedule.tasks}
    needs = needs_of(problem, schedule.tasks, options)
    waiting = [t.name for t in sorted(schedule.tasks, key=lambda t: (t.start_s, t.end_s))]
    left: dict[str, float] = {}  # seconds that a running task still needs at full speed
    ended: dict[str, float] = {}
    now = 0.0
    while waiting or left:
        ready = {
            name: max((ended[other] + delay for other, delay in needs[name]), default=0.0)
            for name in waiting
            if all(other in ended for other, _ in needs[name])
        }
        for name in [name for name, at in ready.items() if at <= now]:
            waiting.remove(name)
            left[name] = options[name].seconds
        arrivals = [at for name, at in ready.items() if name in waiting]
        if not left:
            now = min(arrivals)
            continue
        speeds = _speeds({(name, numbers[name]): options[name] for name in left}, contention, locked)
        step = min(seconds / speeds[name] for name, seconds in left.items())
        step = min([step, *(at - now for at in arrivals)])
        now += step
        for name in list(left):
            left[name] -= step * speeds[name]
            if left[name] <= 1e-12 * options[name].seconds:
                del left[name]
                ended[name] = now
    return now


def chosen_of(problem: Problem, placements: Sequence[Placement]) -> dict[str, Option]:
    """The option that each task was placed with."""
    tasks = {task.name: task for task in problem.tasks}
    return {placed.name: tasks[placed.name].options[placed.option] for placed in placements}


def _speeds(running: Mapping[Way, Option], contention: Contention, locked: Set[str]) -> dict[str, float]:
    """The speed of each running task; one that has a processor for itself was measured so, with all its threads."""
    on: dict[str, list[Way]] = {}
    busy: dict[str, int] = {}
    for way, option in running.items():
        on.setdefault(option.processor, []).append(way)
        busy[option.processor] = busy.get(option.processor, 0) + option.cores
    turns = sum(name in locked for name, _ in running)
    speeds = {}
    for way, option in running.items():
        others = [other for other in on[option.processor] if other != way]
        speed = contention.beside(way, others, busy[option.processor]) if others else 1.0
        waits = way[0] in locked and turns > 1
        speeds[way[0]] = min(speed, LOCK_EFFICIENCY / turns) if waits else speed
    return speeds


def needs_of(
    problem: Problem, placements: Sequence[Placement], options: Mapping[str, Option]
) -> dict[str, list[tuple[str, float]]]:
    """For each task those that must have ended before it starts, each with the seconds that its data is under way."""
    links = {(link.source, link.target): link for link in problem.links}
    needs: dict[str, list[tuple[str, float]]] = {placed.name: [] for placed in placements}
    for edge in problem.edges:
        a, b = options[edge.source].processor, options[edge.target].processor
        link = links.get((a, b)) if a != b and edge.nbytes > 0 else None
        delay = link.latency_s + edge.nbytes / link.bytes_per_s if link else 0.0
        needs[edge.target].append((edge.source, delay))
    for task in placements:
        for other in placements:
            same = options[other.name].processor == options[task.name].processor
            if same and other is not task and other.end_s <= task.start_s and other.start_s < task.start_s:
                needs[task.name].append((other.name, 0.0))
    return needs
