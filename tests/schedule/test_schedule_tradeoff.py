"""The bound that couples chains with load: never above the optimum, and above what either gives alone."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hetero.errors import InfeasibleError
from hetero.schedule import Edge, Limits, Link, Option, Problem, Processor, Task, solve, violations
from hetero.schedule.arrays import to_arrays
from hetero.schedule.bounds import quick_bound
from hetero.schedule.guided import guided
from hetero.schedule.list_scheduling import portfolio
from hetero.schedule.load_bounds import load_bound
from hetero.schedule.tradeoff import multipliers, tradeoff_bound
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


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    problem=problems(max_tasks=4),
    seconds=st.sampled_from([None, 6.0, 12.0, 20.0]),
    error=st.sampled_from([None, 1e-4]),
    objective=st.sampled_from(["energy", "throughput"]),
)
def test_no_sum_and_no_period_is_below_it(
    problem: Problem, seconds: float | None, error: float | None, objective: str
) -> None:
    """With energy as the goal and the makespan limited, or with the period, the same holds."""
    limits = Limits(seconds=seconds, error=error)
    best = optimum(problem, objective, limits)
    if best is None:
        return
    arrays = to_arrays(problem, usable_options(problem, objective, limits))  # type: ignore[arg-type]
    if objective == "energy":
        found = multipliers(arrays, limits, arrays.joules)
    else:
        found = multipliers(arrays, limits, chains=False)
    assert found is None or found.bound(arrays) <= best * (1 + 1e-12)


def layered(tasks: int) -> Problem:
    """Fast options take much energy; unrelated processors, all linked."""
    draw = random.Random(1)
    names = [f"p{number}" for number in range(4)]
    options = [
        tuple(
            Option(
                name, seconds := draw.uniform(1, 9), joules=(number + 1) ** 2 * draw.uniform(8, 12) / seconds
            )
            for number, name in enumerate(names)
        )
        for _ in range(tasks)
    ]
    edges = tuple(Edge(f"t{draw.randrange(i)}", f"t{i}", 1.0) for i in range(1, tasks))
    links = tuple(Link(a, b, 0.1, 4.0) for a in names for b in names if a != b)
    return Problem(
        tuple(map(Processor, names)), tuple(Task(f"t{i}", own) for i, own in enumerate(options)), edges, links
    )


def test_prices_lead_list_scheduling_around_a_limit() -> None:
    """HEFT spends a limited sum on its first tasks; what follows prices is shorter, and within a tenth of the bound."""
    problem = layered(120)
    least = sum(min(option.joules for option in task.options) for task in problem.tasks)
    limits = Limits(joules=1.3 * least)
    arrays = to_arrays(problem, usable_options(problem, "latency", limits))
    prices = multipliers(arrays, limits)
    assert prices is not None
    found = guided(arrays, limits, prices.toll, lambda draft: draft.makespan_s)
    assert found is not None
    assert arrays.joules[found.option].sum() <= limits.joules * (1 + 1e-9)  # type: ignore[operator]
    plain = min(draft.makespan_s for draft in portfolio(arrays, limits))
    assert found.makespan_s < plain
    assert found.makespan_s < 1.1 * prices.bound(arrays)


@pytest.mark.parametrize(
    ("objective", "limits"),
    [
        ("latency", Limits(joules=900.0)),
        ("energy", Limits(seconds=160.0)),
        ("throughput", Limits(joules=900.0)),
    ],
)
def test_large_problems_keep_limits_with_a_gap_that_is_worth_telling(objective: str, limits: Limits) -> None:
    """Within 20 steps, nearly without CP-SAT's help, the answer is proven to be near the best that there is."""
    problem = layered(120)
    found = solve(problem, objective=objective, limits=limits, steps=20)  # type: ignore[arg-type]
    assert violations(problem, found, limits) == ()
    assert found.gap < 0.15
