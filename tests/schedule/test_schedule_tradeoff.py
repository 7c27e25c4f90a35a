"""The bound that couples chains with load: never above the optimum, and above what either gives alone."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hetero.errors import InfeasibleError
from hetero.schedule import Edge, Limits, Option, Problem, Processor, Task
from hetero.schedule.arrays import to_arrays
from hetero.schedule.bounds import quick_bound
from hetero.schedule.load_bounds import load_bound
from hetero.schedule.tradeoff import tradeoff_bound
from hetero.schedule.usable import usable_options

from .brute_force import optimum
from .random_problems import problems


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    problem=problems(max_tasks=4),
    joules=st.sampled_from([None, 0.0, 1.0, 4.0]),
    error=st.sampled_from([None, 1e-4]),
)
def test_no_schedule_is_below_it(problem: Problem, joules: float | None, error: float | None) -> None:
    """Whatever the graph, the links and the limits, brute force finds nothing shorter."""
    limits = Limits(joules=joules, error=error)
    best = optimum(problem, "latency", limits)
    if best is None:
        return
    try:
        arrays = to_arrays(problem, usable_options(problem, "latency", limits))
    except InfeasibleError:
        pytest.fail("brute force found a schedule where no option is usable")
    assert tradeoff_bound(arrays, limits) <= best * (1 + 1e-12)


def test_it_knows_that_speed_costs_work() -> None:
    """Two chains beside each other: wide options make both short and the load large, narrow ones the other way."""
    way = (Option("cpu", 1.0, 1), Option("cpu", 0.8, 2))
    tasks = tuple(Task(name, way) for name in ("a1", "a2", "b1", "b2"))
    problem = Problem((Processor("cpu", 2),), tasks, (Edge("a1", "a2"), Edge("b1", "b2")))
    arrays = to_arrays(problem, usable_options(problem, "latency", Limits()))
    assert max(quick_bound(arrays), load_bound(arrays)) == pytest.approx(2.0)
    wide = Problem((Processor("cpu", 3),), tasks, problem.edges)
    arrays = to_arrays(wide, usable_options(wide, "latency", Limits()))
    assert max(quick_bound(arrays), load_bound(arrays)) == pytest.approx(1.6)
    assert tradeoff_bound(arrays) > 1.65


def test_it_knows_what_a_limit_rules_out() -> None:
    """Of three tasks only one may take the fast and inexact option."""
    way = (Option("cpu", 1.0), Option("cpu", 0.5, error=1e-3))
    problem = Problem((Processor("cpu"),), tuple(Task(f"t{i}", way) for i in range(3)))
    arrays = to_arrays(problem, usable_options(problem, "latency", Limits(error=1e-3)))
    assert tradeoff_bound(arrays, Limits(error=1e-3)) == pytest.approx(2.5, rel=1e-6)
