"""CP-SAT's answers, taken alone: no list schedule or bound comes to their aid."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from hetero.errors import InfeasibleError
from hetero.schedule import Edge, Limits, Link, Option, Problem, Processor, Task
from hetero.schedule.arrays import Arrays, to_arrays
from hetero.schedule.effort import Effort
from hetero.schedule.exact import minimise_makespan
from hetero.schedule.exact.run import hint, run
from hetero.schedule.exact.timing import timed_model
from hetero.schedule.latency import worst_case
from hetero.schedule.list_scheduling import portfolio
from hetero.schedule.usable import usable_options

from .brute_force import optimum
from .test_schedule_frontier import FAST_OR_FRUGAL

ONE_WORKER = Effort(5.0, deterministic=5.0)


def arrays_of(problem: Problem, limits: Limits) -> Arrays:
    return to_arrays(problem, usable_options(problem, "latency", limits))


@pytest.mark.parametrize("deterministic", [5.0, None])
def test_the_optimum_that_cp_sat_once_cut_off(deterministic: float | None) -> None:
    """With one end variable shared by all of a task's intervals, CP-SAT 9.15 called 22 s optimal here."""
    effort = Effort(30.0, deterministic=deterministic)  # whose seconds begin here
    limits = Limits(joules=14.0)
    outcome = minimise_makespan(
        arrays_of(FAST_OR_FRUGAL, limits), limits, incumbent=None, horizon_s=25.0, lower_s=0.0, effort=effort
    )
    assert outcome.draft is not None
    assert outcome.draft.makespan_s == outcome.bound == 21.5


@pytest.mark.parametrize("seed", [*range(40), 10274, 12459, 20431, 20630])
def test_cp_sat_alone_agrees_with_brute_force(seed: int) -> None:
    """On random problems with transfers and a limit on joules, the model has exactly the true optimum.

    The large seeds are cases that once failed: rows that held only where their options were taken (10274), a bound
    that crept up tick by tick (12459), and optima that CP-SAT's presolve cut off (20431, 20630).
    """
    problem, limits = random_problem(random.Random(seed))
    try:
        arrays = arrays_of(problem, limits)
    except InfeasibleError:
        assert optimum(problem, "latency", limits) is None
        return
    outcome = minimise_makespan(
        arrays, limits, incumbent=None, horizon_s=worst_case(arrays), lower_s=0.0, effort=ONE_WORKER
    )
    best = optimum(problem, "latency", limits)
    if best is None:
        assert outcome.infeasible
        return
    assert outcome.draft is not None
    assert math.isclose(outcome.draft.makespan_s, best, rel_tol=1e-9)
    assert best * (1 - 1e-9) <= outcome.bound <= best * (1 + 1e-12)


def random_problem(rng: random.Random) -> tuple[Problem, Limits]:
    """Every task on most processors, so that CP-SAT has something to decide."""
    places = rng.choice([2, 2, 3])
    count = rng.randint(3, 5)
    whole = rng.random() < 0.5

    def option(place: int) -> Option:
        seconds = rng.choice([1.0, 2.0, 3.0, 4.0, 6.5, 8.5]) if whole else rng.uniform(1.0, 9.0)
        return Option(f"p{place}", seconds, joules=rng.choice([1, 2, 3, 5]))

    tasks = [
        Task(f"t{i}", tuple(option(k) for k in range(places) if rng.random() < 0.85) or (option(0),))
        for i in range(count)
    ]
    edges = [
        Edge(f"t{a}", f"t{b}", rng.choice([0, 1, 2, 5]))
        for b in range(count)
        for a in range(b)
        if rng.random() < 0.4
    ]
    links = [
        Link(f"p{a}", f"p{b}", rng.choice([0.0, 0.5]), rng.choice([1.0, 2.0]))
        for a in range(places)
        for b in range(places)
        if a != b
    ]
    processors = [Processor(f"p{i}", rng.choice([1, 1, 1, 2])) for i in range(places)]
    problem = Problem(tuple(processors), tuple(tasks), tuple(edges), tuple(links))
    return problem, Limits(joules=rng.choice([None, rng.randint(count, 4 * count)]))


def test_wide_tasks_on_several_cores_are_proven_at_once() -> None:
    """A task that fills a processor of two cores is ordered among the others, not pushed tick by tick."""
    problem = Problem(
        (Processor("p", 2),),
        (
            Task("t0", (Option("p", 0.26740233203703645),)),
            Task("t1", (Option("p", 7.0),)),
            Task("t2", (Option("p", 3.0, cores=2),)),
            Task("t3", (Option("p", 0.1, cores=2),)),
        ),
        (Edge("t0", "t1"),),
    )
    arrays = arrays_of(problem, Limits())
    outcome = minimise_makespan(
        arrays, Limits(), incumbent=None, horizon_s=worst_case(arrays), lower_s=0.0, effort=ONE_WORKER
    )
    assert outcome.draft is not None
    assert math.isclose(outcome.draft.makespan_s, 10.367402332037036, rel_tol=1e-12)
    assert math.isclose(outcome.bound, outcome.draft.makespan_s, rel_tol=1e-9)


def test_slow_links_hide_no_schedule_from_cp_sat() -> None:
    """CP-SAT 9.15's search for "x is after at least one of" found three chains on six processors infeasible."""
    rng = random.Random(41)
    seconds = [rng.uniform(0.4, 1.3) for _ in range(8)]
    speeds = [round(rng.uniform(0.5, 2.0), 2) for _ in range(6)]
    chains = ((0, 1, 2, 7), (0, 3, 4, 7), (0, 5, 6, 7))
    problem = Problem(
        tuple(Processor(f"p{k}") for k in range(6)),
        tuple(
            Task(f"t{i}", tuple(Option(f"p{k}", own / speed) for k, speed in enumerate(speeds)))
            for i, own in enumerate(seconds)
        ),
        tuple(
            Edge(f"t{a}", f"t{b}", rng.uniform(0.5, 2.0))
            for chain in chains
            for a, b in itertools.pairwise(chain)
        ),
        tuple(
            Link(f"p{a}", f"p{b}", 0.0, rng.uniform(0.2, 0.4)) for a in range(6) for b in range(6) if a != b
        ),
    )
    arrays = arrays_of(problem, Limits())
    known = min(draft.makespan_s for draft in portfolio(arrays, Limits()))
    outcome = minimise_makespan(
        arrays, Limits(), incumbent=None, horizon_s=known, lower_s=0.0, effort=Effort(2.0, deterministic=2.0)
    )
    assert not outcome.infeasible
    assert outcome.bound <= known


@pytest.mark.parametrize("seed", range(20))
def test_two_workers_that_only_prove_agree_with_brute_force(seed: int) -> None:
    """From the best schedule of the list schedulers, both workers end at the true optimum."""
    problem, limits = random_problem(random.Random(seed))
    try:
        arrays = arrays_of(problem, limits)
    except InfeasibleError:
        return
    best = optimum(problem, "latency", limits)
    known = min(portfolio(arrays, limits), key=lambda draft: draft.makespan_s, default=None)
    if best is None or known is None:
        return
    model = timed_model(arrays, limits, known.makespan_s)
    assert model.makespan is not None
    model.cp.minimize(model.makespan)
    hint(model, known)
    outcome = run(model, Effort(30.0), "cp-sat", unit=model.ticks, prove=True)
    assert outcome.draft is not None
    assert math.isclose(outcome.draft.makespan_s, best, rel_tol=1e-9)
    assert best * (1 - 1e-9) <= outcome.bound <= best * (1 + 1e-12)
