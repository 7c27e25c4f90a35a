"""The critical path is a chain without a hole that is as long as the schedule."""

from __future__ import annotations

import math

from hypothesis import HealthCheck, given, settings

from hetero.errors import InfeasibleError
from hetero.schedule import Edge, Limits, Link, Option, Problem, Processor, Task, solve
from hetero.schedule.critical import critical_path

from .random_problems import problems


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(problem=problems())
def test_its_parts_add_up_to_the_makespan(problem: Problem) -> None:
    """From the first task to the last, each part begins where the one before it ends."""
    try:
        schedule = solve(problem, limits=Limits(), budget_seconds=0.2)
    except InfeasibleError:
        return
    steps = critical_path(problem, schedule)
    if not schedule.tasks:
        assert steps == ()
        return
    placed = {task.name: task for task in schedule.tasks}
    length = placed[steps[0].name].start_s + sum(step.seconds + step.transfer_s for step in steps)
    assert math.isclose(length, schedule.makespan_s, rel_tol=1e-7, abs_tol=1e-12)
    assert len({step.name for step in steps}) == len(steps)


def test_it_says_why_each_task_started_when_it_did() -> None:
    """After a transfer, and after the task that had its processor."""
    problem = Problem(
        (Processor("cpu"), Processor("gpu")),
        (
            Task("load", (Option("cpu", 1.0),)),
            Task("see", (Option("gpu", 2.0),)),
            Task("more", (Option("gpu", 3.0),)),
        ),
        (Edge("load", "see", 1.0), Edge("load", "more", 1.0)),
        (Link("cpu", "gpu", 0.25, 4.0),),
    )
    path = critical_path(problem, solve(problem))
    assert [step.because for step in path] == ["first", "data", "cores"]
    assert path[1].transfer_s == 0.5
