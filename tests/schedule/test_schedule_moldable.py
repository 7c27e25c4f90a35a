"""Local search where tasks share a processor's cores: valid, repeatable, and better than list scheduling."""

from __future__ import annotations

import random

import pytest

from hetero.schedule import Edge, Limits, Link, Option, Problem, Processor, Task
from hetero.schedule.arrays import to_arrays
from hetero.schedule.bounds import quick_bound
from hetero.schedule.moldable import MoldableSearch
from hetero.schedule.repair import starting_draft
from hetero.schedule.solve import Found, _schedule
from hetero.schedule.usable import usable_options
from hetero.schedule.verify import violations


def moldable(tasks: int, memory_bytes: float | None) -> Problem:
    """Two processors of four cores; each task on one, two or four of them, some with a shared model."""
    draw = random.Random(tasks)
    names = ("cpu", "npu")
    options = [
        tuple(
            Option(
                name,
                draw.uniform(1.0, 9.0) / cores**0.8,
                cores,
                memory_bytes=2.0,
                joules=draw.uniform(1.0, 5.0),
                resident="model" if number % 3 == 0 else None,
            )
            for name in names
            for cores in (1, 2, 4)
        )
        for number in range(tasks)
    ]
    return Problem(
        tuple(Processor(name, 4, memory_bytes) for name in names),
        tuple(Task(f"t{number}", own) for number, own in enumerate(options)),
        tuple(
            Edge(f"t{draw.randrange(number)}", f"t{number}", draw.choice([0.0, 1.0]))
            for number in range(1, tasks)
        ),
        (Link("cpu", "npu", 0.2, 2.0), Link("npu", "cpu", 0.2, 2.0)),
    )


@pytest.mark.parametrize(
    ("memory_bytes", "limits"),
    [(None, Limits()), (36.0, Limits()), (None, Limits(joules=110.0, memory_bytes=60.0))],
)
def test_what_is_found_is_valid_and_better(memory_bytes: float | None, limits: Limits) -> None:
    """Memory with shared copies and limited sums are kept, and a better schedule is found."""
    problem = moldable(40, memory_bytes)
    arrays = to_arrays(problem, usable_options(problem, "latency", limits))
    begin = starting_draft(arrays, limits)
    assert begin is not None
    search = MoldableSearch.of(arrays, limits, begin, 0)
    search.iterate(3000, 0.0)
    assert search.makespan_s < begin.makespan_s
    found = Found(search.best, search.makespan_s, quick_bound(arrays))
    assert violations(problem, _schedule(problem, arrays, "latency", found), limits) == ()


def test_more_moves_are_never_worse_and_repeat() -> None:
    """The best so far only falls, in any portions of moves, and the same seed gives the same."""
    problem = moldable(40, None)
    arrays = to_arrays(problem, usable_options(problem, "latency", Limits()))
    begin = starting_draft(arrays, Limits())
    assert begin is not None
    first, second = (MoldableSearch.of(arrays, Limits(), begin, 3) for _ in range(2))
    found = [begin.makespan_s]
    for _ in range(20):
        first.iterate(100, 0.0)
        found.append(first.makespan_s)
    second.iterate(2000, 0.0)
    assert found == sorted(found, reverse=True)
    assert second.makespan_s == found[-1]
    assert second.best.start_s.tolist() == first.best.start_s.tolist()
