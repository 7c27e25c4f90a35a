"""The list schedulers, each as its paper says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings

from hetero.errors import InfeasibleError
from hetero.schedule import (
    Edge,
    Limits,
    Link,
    Option,
    Placement,
    Problem,
    Processor,
    Schedule,
    Task,
    violations,
)
from hetero.schedule.arrays import Arrays, to_arrays
from hetero.schedule.draft import Draft
from hetero.schedule.list_scheduling import PORTFOLIO, cpop, heft, lookahead, one_processor
from hetero.schedule.timeline import Timeline
from hetero.schedule.usable import usable_options

from .random_problems import problems

NONE = Limits()


def arrays_of(problem: Problem) -> Arrays:
    return to_arrays(problem, usable_options(problem, "latency", NONE))


def schedule_of(problem: Problem, arrays: Arrays, draft: Draft) -> Schedule:
    placements = tuple(
        Placement(task.name, int(arrays.index[option]), float(start), float(start + arrays.seconds[option]))
        for task, option, start in zip(problem.tasks, draft.option, draft.start_s, strict=True)
    )
    return Schedule("latency", placements, draft.makespan_s, draft.makespan_s, 0.0, False, draft.method)


@pytest.mark.parametrize("scheduler", PORTFOLIO)
@settings(deadline=None, max_examples=40)
@given(problem=problems())
def test_every_draft_is_a_schedule(
    scheduler: Callable[[Arrays, Limits], Draft | None], problem: Problem
) -> None:
    """What a list scheduler gives keeps every rule, memory and missing links too; else it gives nothing."""
    try:
        arrays = arrays_of(problem)
    except InfeasibleError:
        return
    draft = scheduler(arrays, NONE)
    if draft is not None:
        assert violations(problem, schedule_of(problem, arrays, draft)) == ()


TOPCUOGLU = (
    (14, 16, 9),
    (13, 19, 18),
    (11, 13, 19),
    (13, 8, 17),
    (12, 13, 10),
    (13, 16, 9),
    (7, 15, 11),
    (5, 11, 14),
    (18, 12, 20),
    (21, 7, 16),
)
EDGES = "1-2:18 1-3:12 1-4:9 1-5:11 1-6:14 2-8:19 2-9:16 3-7:23 4-8:27 4-9:23 5-9:13 6-8:15 7-10:17 8-10:11 9-10:13"


def topcuoglu() -> Problem:
    """The example of the HEFT paper, on which later papers show their schedulers too."""
    names = ("p1", "p2", "p3")
    edges = [(pair.split("-"), nbytes) for pair, nbytes in (edge.split(":") for edge in EDGES.split())]
    return Problem(
        tuple(map(Processor, names)),
        tuple(
            Task(f"n{number}", tuple(Option(name, float(s)) for name, s in zip(names, row, strict=True)))
            for number, row in enumerate(TOPCUOGLU, 1)
        ),
        tuple(Edge(f"n{a}", f"n{b}", float(nbytes)) for (a, b), nbytes in edges),
        tuple(Link(a, b, 0.0, 1.0) for a in names for b in names if a != b),
    )


@pytest.mark.parametrize(("scheduler", "makespan"), [(heft, 80.0), (cpop, 86.0)])
def test_the_papers_example(scheduler: Callable[[Arrays, Limits], Draft | None], makespan: float) -> None:
    """On the HEFT paper's graph, HEFT and CPOP take the 80 and 86 that it states."""
    draft = scheduler(arrays_of(topcuoglu()), NONE)
    assert draft is not None
    assert draft.makespan_s == makespan


def test_looking_ahead_keeps_a_task_where_its_child_must_run() -> None:
    """HEFT takes the faster processor and pays for the transfer; lookahead sees the child that cannot follow."""
    problem = Problem(
        (Processor("fast"), Processor("home")),
        (
            Task("a", (Option("fast", 1.0), Option("home", 2.0))),
            Task("b", (Option("home", 1.0),)),
        ),
        (Edge("a", "b", 5.0),),
        (Link("fast", "home", 0.0, 1.0),),
    )
    arrays = arrays_of(problem)
    greedy, far_sighted = heft(arrays, NONE), lookahead(arrays, NONE)
    assert greedy is not None
    assert far_sighted is not None
    assert (greedy.makespan_s, far_sighted.makespan_s) == (7.0, 3.0)


def test_the_best_single_processor_is_found_among_all() -> None:
    """A processor of more cores may beat one of less work, and cannot be left out by looking at work alone."""
    problem = Problem(
        (Processor("wide", 2), Processor("narrow")),
        tuple(Task(name, (Option("wide", 3.0), Option("narrow", 2.0))) for name in "abc"),
        (Edge("a", "b"),),
    )
    draft = one_processor(arrays_of(problem), NONE)
    assert draft is not None
    assert draft.makespan_s == 6.0


def test_what_is_released_leaves_no_trace() -> None:
    """A timeline after reserve and release is the one before, whatever was beside it."""
    line = Timeline(2)
    line.reserve(1.0, 2.0, 1)
    line.reserve(3.0, 1.0, 2)
    moments, used = list(line.moments), list(line.used)
    for start, seconds, cores in ((0.0, 3.0, 1), (4.0, 1.0, 2), (0.0, 1.0, 1), (1.0, 2.0, 1), (6.0, 1.0, 1)):
        line.reserve(start, seconds, cores)
        line.release(start, seconds, cores)
        assert (line.moments, line.used) == (moments, used)
