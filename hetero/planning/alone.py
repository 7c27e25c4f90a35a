"""One request that has the machine to itself, as a schedule: what a latency is made of."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hetero.graph import Graph
from hetero.planning.contention import chosen_of, needs_of
from hetero.planning.control import Setting
from hetero.planning.flow import times_in_flow
from hetero.planning.options import leaves
from hetero.plans import Plan
from hetero.schedule.problem import Problem
from hetero.schedule.schedule import Placement, Schedule

__all__ = ["alone", "handovers_s", "overhead_s"]

_NODE_OVERHEAD_S = 1e-6
_HANDOVER_S = 4e-5


def alone(plan: Plan) -> tuple[Problem, Schedule]:
    """The plan's problem and schedule with the seconds of one request.

    For throughput they are of many requests: each option is longer by what it holds back the others, and a chain of
    such times would be no request's. The order and the options stay, and every task starts as early as they allow. A
    plan without evidence (made by hand) is as it was made.
    """
    if plan.objective != "throughput" or plan.evidence is None or not plan.options:
        return plan.problem, plan.schedule
    setting = Setting.of(plan, plan.evidence, plan.machine, plan.options)
    nodes = dict(leaves(plan.graph))
    cores = {p.name: p.cores for p in plan.problem.processors}
    chosen = chosen_of(plan.problem, plan.schedule.tasks)
    seconds = {}
    for name, option in chosen.items():
        inside = {
            path: choice
            for path, choice in plan.choices.items()
            if path == name or path.startswith(f"{name}/")
        }
        times = times_in_flow(option.cores, cores[option.processor], inside, nodes, setting)
        seconds[name] = option.seconds / times
    tasks = tuple(
        replace(
            task,
            options=tuple(
                replace(option, seconds=seconds[task.name]) if option is chosen[task.name] else option
                for option in task.options
            ),
        )
        for task in plan.problem.tasks
    )
    problem = replace(plan.problem, tasks=tasks)
    return problem, _as_early_as_ordered(problem, plan.schedule)


def _as_early_as_ordered(problem: Problem, schedule: Schedule) -> Schedule:
    """The same order on every processor, with this problem's durations and no time lost between."""
    options = chosen_of(problem, schedule.tasks)
    needs = needs_of(problem, schedule.tasks, options)
    placed: dict[str, Placement] = {}
    for task in sorted(schedule.tasks, key=lambda t: (t.start_s, t.end_s)):
        start_s = max((placed[other].end_s + delay for other, delay in needs[task.name]), default=0.0)
        end_s = start_s + options[task.name].seconds
        placed[task.name] = replace(task, start_s=start_s, end_s=end_s)
    makespan_s = max((task.end_s for task in placed.values()), default=0.0)
    return replace(schedule, tasks=tuple(placed[t.name] for t in schedule.tasks), makespan_s=makespan_s)


def overhead_s(graph: Graph, schedule: Schedule) -> float:
    """The program's own time: next to nothing in one thread, a hand-over between threads where tasks overlap."""
    return len(graph) * _NODE_OVERHEAD_S + handovers_s(schedule)


def handovers_s(schedule: Schedule) -> float:
    """Seconds for values that pass from one thread to another, where tasks overlap."""
    ordered = sorted(schedule.tasks, key=lambda t: t.start_s)
    return _HANDOVER_S * sum(b.start_s < a.end_s and b.end_s > b.start_s for a, b in pairwise(ordered))
