"""Memory is never violated, and where list scheduling runs into the wall there is still a schedule."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings

from hetero.errors import InfeasibleError
from hetero.schedule import Edge, Limits, Link, Option, Problem, Processor, Task, solve, violations
from hetero.schedule.arrays import Arrays, to_arrays
from hetero.schedule.effort import Effort
from hetero.schedule.list_scheduling import heft, portfolio
from hetero.schedule.packing import Packing, held_bytes
from hetero.schedule.repair import memory_binds, packed_by_solver, repaired
from hetero.schedule.schedule import Objective
from hetero.schedule.usable import usable_options

from .random_problems import problems
from .test_schedule_list import schedule_of

NONE = Limits()


def arrays_of(problem: Problem) -> Arrays:
    return to_arrays(problem, usable_options(problem, "latency", NONE))


def layers(seed: int, tasks: int, places: int, room: float, *, share: bool = False) -> Problem:
    """A layered graph whose weights take all but little of the memory there is."""
    rng = random.Random(seed)
    sizes = [float(rng.randint(5, 60)) for _ in range(tasks)]
    keys = [f"layer{number % 10}" if share and number < 30 else None for number in range(tasks)]
    for number, key in enumerate(keys):
        if key is not None:
            sizes[number] = 10.0 + number % 10
    total = sum(size for number, size in enumerate(sizes) if keys[number] is None or number < 10)
    names = [f"p{k}" for k in range(places)]
    return Problem(
        tuple(Processor(name, memory_bytes=float(round(room * total / places))) for name in names),
        tuple(
            Task(
                f"t{number}",
                tuple(Option(name, rng.uniform(1, 3), memory_bytes=size, resident=key) for name in names),
            )
            for number, (size, key) in enumerate(zip(sizes, keys, strict=True))
        ),
        tuple(
            Edge(f"t{rng.randrange(max(0, n - 6), n)}", f"t{n}", rng.uniform(0, 2)) for n in range(1, tasks)
        ),
        tuple(Link(a, b, 0.1, 1.0) for a in names for b in names if a != b),
    )


@settings(deadline=None, max_examples=60)
@given(problem=problems(max_tasks=8))
def test_what_is_repaired_is_a_schedule(problem: Problem) -> None:
    """Every draft of the repair keeps all rules, shared copies and missing links too."""
    try:
        arrays = arrays_of(problem)
    except InfeasibleError:
        return
    if memory_binds(arrays):
        for draft in repaired(arrays, NONE):
            assert violations(problem, schedule_of(problem, arrays, draft)) == ()


def test_repair_passes_over_processors_that_run_nothing() -> None:
    """A processor on which no task has a usable option gets no share, and no warning comes of its missing mean."""
    processors = (Processor("p", memory_bytes=5.0), Processor("idle"), Processor("q", memory_bytes=5.0))
    both = (Option("p", 1.0, memory_bytes=4.0), Option("q", 2.0, memory_bytes=4.0))
    links = tuple(Link(a, b, 0.0, 1.0) for a in ("p", "idle", "q") for b in ("p", "idle", "q") if a != b)
    problem = Problem(processors, (Task("a", both), Task("b", both)), links=links)
    arrays = arrays_of(problem)
    assert memory_binds(arrays)
    drafts = repaired(arrays, NONE)
    assert drafts
    assert drafts[0].makespan_s == 2.0


@pytest.mark.parametrize("share", [False, True])
def test_repair_fills_memory_to_the_last_percents(share: bool) -> None:
    """With 0.4% of memory to spare, HEFT mostly runs into the wall, and repair never does."""
    walls = 0
    for seed in range(6):
        problem = layers(seed, 90, 5, 1.004, share=share)
        arrays = arrays_of(problem)
        walls += heft(arrays, NONE) is None
        drafts = repaired(arrays, NONE)
        assert drafts
        for draft in drafts:
            assert violations(problem, schedule_of(problem, arrays, draft)) == ()
    assert walls >= 3


def test_deviating_from_a_packing_pays() -> None:
    """HEFT with reservations makes shorter schedules than keeping to the packing, which knows no order."""
    ratios = []
    for seed in range(4):
        drafts = {
            draft.method: draft.makespan_s
            for draft in reversed(repaired(arrays_of(layers(seed, 90, 5, 1.03)), NONE))
        }
        ratios.append(drafts["heft-reserved"] / drafts["repaired"])
    assert max(ratios) < 1


def test_two_tasks_trade_places() -> None:
    """Where no task can move by itself, an unequal trade makes both processors fit."""
    problem = Problem(
        (Processor("p", memory_bytes=10), Processor("q", memory_bytes=10)),
        tuple(
            Task(f"t{number}", tuple(Option(name, 1.0, memory_bytes=size) for name in "pq"))
            for number, size in enumerate((7, 4, 6, 3))
        ),
    )
    arrays = arrays_of(problem)
    packing = Packing(arrays, np.array([0, 2, 5, 7]), lean=False)  # 7 and 4 on p, 6 and 3 on q
    assert packing.repair()
    assert sorted(held_bytes(arrays, packing.option).tolist()) == [10.0, 10.0]


def test_a_model_used_twice_moves_as_one() -> None:
    """The two users of a shared copy leave a full processor together; one alone would free nothing."""
    problem = Problem(
        (Processor("p", memory_bytes=10), Processor("q", memory_bytes=8)),
        (
            *(
                Task(name, tuple(Option(p, 1.0, memory_bytes=8, resident="model") for p in "pq"))
                for name in "ab"
            ),
            Task("c", (Option("p", 1.0, memory_bytes=4),)),
        ),
    )
    arrays = arrays_of(problem)
    packing = Packing(arrays, np.array([0, 2, 4]), lean=False)
    assert packing.repair()
    assert packing.option.tolist() == [1, 3, 4]


def test_the_solver_packs_what_moves_cannot() -> None:
    """Bins that must be filled to the last byte are packed by CP-SAT, or proven to be too small."""
    sizes = (9, 8, 7, 6, 5, 4, 3, 3)

    def bins(capacity: int) -> Problem:
        return Problem(
            tuple(Processor(name, memory_bytes=capacity) for name in "pqr"),
            tuple(
                Task(f"t{number}", tuple(Option(name, 1.0, memory_bytes=size) for name in "pqr"))
                for number, size in enumerate(sizes)
            ),
        )

    fits = packed_by_solver(arrays_of(bins(15)), NONE, Effort(5.0))
    assert fits.draft is not None
    assert held_bytes(arrays_of(bins(15)), fits.draft.option).tolist() == [15.0, 15.0, 15.0]
    assert packed_by_solver(arrays_of(bins(14)), NONE, Effort(5.0)).infeasible


def test_no_budget_still_finds_a_schedule_in_tight_memory() -> None:
    """Without any time for search, what list scheduling cannot place is repaired."""
    problem = layers(1, 90, 5, 1.004)
    assert portfolio(arrays_of(problem), NONE) == []
    schedule = solve(problem, budget_seconds=0)
    assert violations(problem, schedule) == ()


@pytest.mark.parametrize("room", [0.5, 0.97])
def test_too_little_memory_is_told_at_once(room: float) -> None:
    """The message states how many bytes are missing in all, however many tasks there are."""
    problem = layers(2, 400, 7, room)
    needed = sum(task.options[0].memory_bytes for task in problem.tasks)
    held = sum(processor.memory_bytes or 0 for processor in problem.processors)
    with pytest.raises(InfeasibleError, match=f"{needed - held:g} bytes of memory are missing"):
        solve(problem, budget_seconds=1)


def sizes_that_differ(tasks: int, places: int, edges_each: int) -> Problem:
    """Weights take more on one processor than on another, so that what fits is rare."""
    rng = random.Random(5)
    names = [f"p{k}" for k in range(places)]
    made = tuple(
        Task(
            f"t{n}",
            tuple(Option(p, 1.0, memory_bytes=rng.randint(1, 100), joules=rng.random()) for p in names),
        )
        for n in range(tasks)
    )
    least = sum(min(option.memory_bytes for option in task.options) for task in made)
    edges = tuple(
        Edge(f"t{n - back}", f"t{n}", rng.uniform(1, 2))
        for n in range(tasks)
        for back in range(1, 1 + min(n, edges_each))
    )
    links = tuple(Link(a, b, 0.0, rng.uniform(1, 2)) for a in names for b in names if a != b)
    return Problem(tuple(Processor(p, memory_bytes=1.2 * least / places) for p in names), made, edges, links)


@pytest.mark.parametrize(
    ("objective", "problem"),
    [("energy", sizes_that_differ(24, 5, 0)), ("throughput", sizes_that_differ(40, 8, 3))],
    ids=["energy", "throughput"],
)
def test_the_least_is_looked_for_where_no_schedule_was_found_before(
    objective: Objective, problem: Problem
) -> None:
    """A quick look for any schedule comes first; that it ends in nothing is no reason to leave most of the budget."""
    assert portfolio(arrays_of(problem), NONE) == []
    schedule = solve(problem, objective=objective, steps=100)
    assert violations(problem, schedule) == ()
