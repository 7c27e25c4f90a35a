"""Does a schedule keep every rule of its problem? Checked before any schedule leaves the solver.

Written from the problem's definition and apart from the solvers: it shares no arrays, decoders or
models with them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from hetero.errors import ProblemError
from hetero.schedule.measures import Additive, chosen_options, memory_by_processor, period_s, total
from hetero.schedule.problem import Limits, Option, Problem
from hetero.schedule.schedule import Placement, Schedule

__all__ = ["verify", "violations"]

TOLERANCE = 1e-9  # of the makespan, for times; of the limit or capacity, for sums
QUANTITIES: tuple[Additive, ...] = ("joules", "dollars", "error")


def verify(problem: Problem, schedule: Schedule, limits: Limits | None = None) -> None:
    """Raise `ProblemError` with the first rule that the schedule breaks, if any."""
    for violation in violations(problem, schedule, limits):
        raise ProblemError(f"invalid {schedule.method} schedule: {violation}")


def violations(problem: Problem, schedule: Schedule, limits: Limits | None = None) -> tuple[str, ...]:
    """Every rule that the schedule breaks, one line each; empty when it is valid."""
    limits = problem.limits.merged(limits)
    if broken := tuple(_choice(problem, schedule)):
        return broken  # without one known option a task, nothing else can be computed
    chosen = chosen_options(problem, [placement.option for placement in schedule.tasks])
    return (
        *_times(problem, schedule, chosen),
        *_transfers(problem, schedule, chosen),
        *_cores(problem, schedule, chosen),
        *_memory(problem, chosen),
        *_limits(schedule, chosen, limits),
        *_values(problem, schedule, chosen),
    )


def _choice(problem: Problem, schedule: Schedule) -> Iterator[str]:
    expected = [task.name for task in problem.tasks]
    found = [placement.name for placement in schedule.tasks]
    if found != expected:
        yield f"it places {len(found)} tasks, not the problem's {len(expected)} in their order"
        return
    for task, placement in zip(problem.tasks, schedule.tasks, strict=True):
        if not 0 <= placement.option < len(task.options):
            yield f"task {task.name!r} has {len(task.options)} options, not option {placement.option}"


def _slack(schedule: Schedule) -> float:
    return TOLERANCE * schedule.makespan_s


def _times(problem: Problem, schedule: Schedule, chosen: list[Option]) -> Iterator[str]:
    slack = _slack(schedule)
    for placement, option in zip(schedule.tasks, chosen, strict=True):
        if not placement.start_s >= 0:
            yield f"task {placement.name!r} starts at {placement.start_s}"
        if not abs(placement.end_s - placement.start_s - option.seconds) <= slack:
            yield (
                f"task {placement.name!r} runs from {placement.start_s} to {placement.end_s}, "
                f"but its option takes {option.seconds} s"
            )


def _transfers(problem: Problem, schedule: Schedule, chosen: list[Option]) -> Iterator[str]:
    slack = _slack(schedule)
    links = {(link.source, link.target): link for link in problem.links}
    place = {p.name: (p, option) for p, option in zip(schedule.tasks, chosen, strict=True)}
    for edge in problem.edges:
        (before, source), (after, target) = place[edge.source], place[edge.target]
        arrival = before.end_s
        if source.processor != target.processor and edge.nbytes > 0:
            link = links.get((source.processor, target.processor))
            if link is None:
                yield (
                    f"edge {edge.source!r} -> {edge.target!r} needs a link from {source.processor!r} "
                    f"to {target.processor!r}, and there is none"
                )
                continue
            arrival += link.latency_s + edge.nbytes / link.bytes_per_s
        if after.start_s < arrival - slack:
            yield (
                f"task {after.name!r} starts at {after.start_s}, "
                f"before the data of {before.name!r} arrives at {arrival}"
            )


def _cores(problem: Problem, schedule: Schedule, chosen: list[Option]) -> Iterator[str]:
    slack = _slack(schedule)
    running: dict[str, list[tuple[Placement, Option]]] = defaultdict(list)
    for placement, option in zip(schedule.tasks, chosen, strict=True):
        if option.seconds > 0:
            running[option.processor].append((placement, option))
    for processor in problem.processors:
        # Ends are moved forward by the slack, so that touching intervals do not count as overlapping.
        events = sorted(
            event
            for placement, option in running[processor.name]
            if placement.end_s - slack > placement.start_s
            for event in ((placement.start_s, option.cores), (placement.end_s - slack, -option.cores))
        )
        used = 0
        for moment, change in events:
            used += change
            if used > processor.cores:
                yield f"processor {processor.name!r} uses {used} of its {processor.cores} cores at {moment} s"
                break


def _memory(problem: Problem, chosen: list[Option]) -> Iterator[str]:
    used = memory_by_processor(chosen)
    for processor in problem.processors:
        capacity = processor.memory_bytes
        if capacity is not None and used.get(processor.name, 0.0) > capacity * (1 + TOLERANCE):
            yield f"processor {processor.name!r} holds {used[processor.name]:g} of its {capacity:g} bytes"


def _limits(schedule: Schedule, chosen: list[Option], limits: Limits) -> Iterator[str]:
    values: dict[str, float] = {quantity: total(chosen, quantity) for quantity in QUANTITIES}
    values["seconds"] = schedule.makespan_s
    values["memory_bytes"] = math.fsum(memory_by_processor(chosen).values())
    for name, value in values.items():
        limit = getattr(limits, name)
        if limit is not None and value > limit * (1 + TOLERANCE):
            yield f"{name} is {value:g}, over the limit of {limit:g}"


def _values(problem: Problem, schedule: Schedule, chosen: list[Option]) -> Iterator[str]:
    makespan = max((placement.end_s for placement in schedule.tasks), default=0.0)
    match schedule.objective:
        case "latency":
            expected = makespan
        case "throughput":
            expected = period_s(problem, chosen)
        case "energy":
            expected = total(chosen, "joules")
        case "cost":
            expected = total(chosen, "dollars")
    for name, found, right in (
        ("makespan_s", schedule.makespan_s, makespan),
        ("objective_value", schedule.objective_value, expected),
    ):
        if not math.isclose(found, right, rel_tol=TOLERANCE, abs_tol=0.0):
            yield f"{name} is stated as {found}, but is {right}"
    if not schedule.lower_bound <= schedule.objective_value:
        yield f"the bound {schedule.lower_bound} is above the value {schedule.objective_value}"
