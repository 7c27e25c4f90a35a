"""Heads and tails from what must run together: never more than the truth, and more than the plain ones."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings

from hetero.errors import InfeasibleError
from hetero.schedule import Edge, Limits, Link, Option, Problem, Processor, Task
from hetero.schedule.arrays import Arrays, to_arrays
from hetero.schedule.bounds import Ends, critical_path, heads, tails
from hetero.schedule.clusters import clustered_heads, clustered_tails
from hetero.schedule.latency import worst_case
from hetero.schedule.usable import usable_options

from .brute_force import optimum
from .random_problems import problems

PATIENT = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))


@PATIENT
@given(problem=problems())
def test_no_task_starts_before_its_head(problem: Problem) -> None:
    """Of each option: its ancestors alone, tried in every way, let it start no sooner."""
    try:
        arrays = arrays_of(problem)
    except InfeasibleError:
        return
    head = clustered_heads(arrays, worst_case(arrays))
    assert (head >= heads(arrays)).all()
    for option in range(arrays.options):
        task = problem.tasks[arrays.task[option]]
        chosen = task.options[arrays.index[option]]
        alone = optimum(only_ancestors(problem, replace(task, options=(chosen,))), "latency")
        if alone is not None:
            assert head[option] <= (alone - chosen.seconds) * (1 + 1e-9) + 1e-12


@PATIENT
@given(problem=problems())
def test_their_longest_chain_is_a_bound(problem: Problem) -> None:
    """Head, task and tail together never exceed the optimum."""
    try:
        arrays = arrays_of(problem)
    except InfeasibleError:
        return
    best, horizon_s = optimum(problem, "latency"), worst_case(arrays)
    ends = Ends(clustered_heads(arrays, horizon_s), clustered_tails(arrays, horizon_s))
    assert (ends.tail >= tails(arrays)).all()
    if best is not None:
        assert critical_path(arrays, ends) <= best * (1 + 1e-9)


def test_inputs_that_no_link_can_bring_in_time_are_made_in_place() -> None:
    """Four sources of 3 s and links of 20 s: the sink starts after all four, not after one."""
    processors = (Processor("p"), Processor("q"))
    names = ("a", "b", "c", "d", "sink")
    tasks = tuple(Task(name, (Option("p", 3.0), Option("q", 3.0))) for name in names)
    edges = tuple(Edge(name, "sink", 20.0) for name in names[:4])
    problem = Problem(processors, tasks, edges, (Link("p", "q", 0.0, 1.0), Link("q", "p", 0.0, 1.0)))
    arrays = arrays_of(problem)
    assert heads(arrays)[-2:].tolist() == [3.0, 3.0]
    raised = clustered_heads(arrays, 15.0)[-2:]
    assert ((raised > 11.9) & (raised <= 12.0)).all()


def arrays_of(problem: Problem) -> Arrays:
    return to_arrays(problem, usable_options(problem, "latency", Limits()))


def only_ancestors(problem: Problem, last: Task) -> Problem:
    """What a task needs to have run before, and the task."""
    wanted = {last.name}
    for task in reversed(problem.tasks):  # the edges of `problems` lead from earlier tasks to later ones
        if any(e.source == task.name and e.target in wanted for e in problem.edges):
            wanted.add(task.name)
    return replace(
        problem,
        tasks=tuple(last if t.name == last.name else t for t in problem.tasks if t.name in wanted),
        edges=tuple(e for e in problem.edges if e.source in wanted and e.target in wanted),
    )
