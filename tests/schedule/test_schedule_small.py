"""The branch and bound for small problems: right by itself, whatever else would have found the answer."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hetero.errors import InfeasibleError
from hetero.schedule import Edge, Limits, Option, Problem, Processor, Task
from hetero.schedule.arrays import Arrays, to_arrays
from hetero.schedule.bounds import tails
from hetero.schedule.effort import Outcome
from hetero.schedule.latency import worst_case
from hetero.schedule.small import is_small, shortest_small
from hetero.schedule.ticks import time_ticks
from hetero.schedule.tradeoff import multipliers
from hetero.schedule.usable import usable_options

from .brute_force import optimum
from .random_problems import problems

PATIENT = settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))


def arrays_of(problem: Problem, limits: Limits) -> Arrays:
    return to_arrays(problem, usable_options(problem, "latency", limits))


def search(arrays: Arrays, limits: Limits, nodes: int = 10**6) -> Outcome:
    horizon_s = worst_case(arrays)
    return shortest_small(
        arrays,
        limits,
        incumbent=None,
        horizon_s=horizon_s,
        bound_s=0.0,
        ticks=time_ticks(arrays, horizon_s),
        tails=tails(arrays),
        prices=multipliers(arrays, limits),
        most_nodes=nodes,
    )


@PATIENT
@given(
    problem=problems(),
    seconds=st.sampled_from([None, None, 3.0, 8.0]),
    joules=st.sampled_from([None, None, 1.0, 4.0]),
    error=st.sampled_from([None, 1e-4]),
)
def test_it_finds_and_proves_what_brute_force_finds(
    problem: Problem, seconds: float | None, joules: float | None, error: float | None
) -> None:
    """From no schedule at all, under limits too; or that there is none."""
    limits = Limits(seconds=seconds, joules=joules, error=error)
    try:
        arrays = arrays_of(problem, limits)
    except InfeasibleError:
        return
    assume(is_small(arrays, limits))
    found, best = search(arrays, limits), optimum(problem, "latency", limits)
    if best is None:
        assert found.infeasible
        return
    assert found.draft is not None
    assert math.isclose(found.draft.makespan_s, best, rel_tol=1e-9, abs_tol=1e-15)
    assert found.bound >= found.draft.makespan_s * (1 - 1e-9)


def test_a_task_without_a_duration_is_not_too_late_for_itself() -> None:
    """It ends when it starts, also where it starts after something that could have ended before."""
    tasks = (
        Task("a", (Option("cpu", 2.0, 2),)),
        Task("b", (Option("cpu", 2.0),)),
        Task("c", (Option("cpu", 4.0, 2), Option("cpu", 5.0))),
        Task("end", (Option("cpu", 0.0),)),
    )
    problem = Problem((Processor("cpu", 3),), tasks, (Edge("a", "end"), Edge("b", "end")))
    found = search(arrays_of(problem, Limits()), Limits())
    assert found.draft is not None
    assert found.draft.makespan_s == optimum(problem, "latency") == 5.0


def test_where_memory_may_bind_it_is_not_used() -> None:
    """It does not count bytes: a choice that could be too large is left to those that do."""
    tasks = (
        Task("a", (Option("cpu", 1.0, memory_bytes=6),)),
        Task("b", (Option("cpu", 1.0, memory_bytes=5),)),
    )
    assert not is_small(arrays_of(Problem((Processor("cpu", memory_bytes=10),), tasks), Limits()), Limits())
    assert is_small(arrays_of(Problem((Processor("cpu", memory_bytes=11),), tasks), Limits()), Limits())


@pytest.mark.parametrize("nodes", [1, 10, 100])
def test_cut_short_it_claims_nothing(nodes: int) -> None:
    """Twelve equal tasks on three cores, no two of the same length: not proven in a hundred nodes."""
    tasks = tuple(Task(f"t{i}", (Option("cpu", 1.0 + 0.01 * 1.37**i),)) for i in range(12))
    arrays = arrays_of(Problem((Processor("cpu", 3),), tasks), Limits())
    found = search(arrays, Limits(), nodes)
    assert not found.infeasible
    assert found.bound == 0.0


def test_a_chain_of_twenty_is_proven_in_a_few_thousand_nodes() -> None:
    """What planning poses most often: one after the other, each with a fast and inexact option, few of which fit."""
    tasks = tuple(
        Task(f"t{i}", (Option("cpu", 1.0 + i % 7), Option("cpu", 0.5 + i % 3, error=1e-3 * (1 + i % 4))))
        for i in range(20)
    )
    edges = tuple(Edge(f"t{i}", f"t{i + 1}") for i in range(19))
    limits = Limits(error=1e-2)
    found = search(arrays_of(Problem((Processor("cpu"),), tasks, edges), limits), limits, 20_000)
    assert found.draft is not None
    assert found.bound >= found.draft.makespan_s * (1 - 1e-9)
