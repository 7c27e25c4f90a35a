"""Agreement with brute force, and the invariances that a scheduler owes its users."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hetero.errors import InfeasibleError
from hetero.schedule import Limits, Problem, solve, violations

from .brute_force import optimum
from .random_problems import problems

OBJECTIVES = ("latency", "throughput", "energy", "cost")
PATIENT = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("objective", OBJECTIVES)
@PATIENT
@given(problem=problems())
def test_the_optimum_is_brute_force_s(objective: str, problem: Problem) -> None:
    """Whatever the objective, small problems are solved to the value that trying everything finds."""
    agree(problem, objective, Limits())


@pytest.mark.parametrize("objective", OBJECTIVES)
@PATIENT
@given(
    problem=problems(max_tasks=4),
    seconds=st.sampled_from([None, 3.0, 8.0, 20.0]),
    joules=st.sampled_from([None, 1.0, 4.0]),
    memory_bytes=st.sampled_from([None, 6.0]),
)
def test_limits_are_kept_and_cost_no_more_than_they_must(
    objective: str, problem: Problem, seconds: float | None, joules: float | None, memory_bytes: float | None
) -> None:
    """Under limits the answer is the best within them, or the honest error where there is none."""
    agree(problem, objective, Limits(seconds=seconds, joules=joules, memory_bytes=memory_bytes))


def agree(problem: Problem, objective: str, limits: Limits) -> None:
    best = optimum(problem, objective, limits)
    if best is None:
        with pytest.raises(InfeasibleError):
            solve(problem, objective=objective, limits=limits)
        return
    schedule = solve(problem, objective=objective, limits=limits)
    assert violations(problem, schedule, limits) == ()
    assert math.isclose(schedule.objective_value, best, rel_tol=1e-9, abs_tol=1e-15)
    assert schedule.lower_bound <= best * (1 + 1e-12)
    assert schedule.proven_optimal


@PATIENT
@given(problem=problems(), factor=st.sampled_from([1e-6, 0.5, 3.0, 1e4]))
def test_time_has_no_favourite_unit(problem: Problem, factor: float) -> None:
    """Scaling all times scales the optimum and nothing else."""
    scaled = replace(
        problem,
        tasks=tuple(
            replace(t, options=tuple(replace(o, seconds=o.seconds * factor) for o in t.options))
            for t in problem.tasks
        ),
        links=tuple(
            replace(k, latency_s=k.latency_s * factor, bytes_per_s=k.bytes_per_s / factor)
            for k in problem.links
        ),
    )
    first, second = makespan(problem), makespan(scaled)
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert math.isclose(first * factor, second, rel_tol=1e-9)


@PATIENT
@given(problem=problems(), seed=st.randoms(use_true_random=False))
def test_names_and_their_order_do_not_matter(problem: Problem, seed: object) -> None:
    """Renaming and shuffling tasks, processors and edges leaves the optimum as it is."""
    shuffle = lambda items: tuple(seed.sample(items, len(items)))  # type: ignore[attr-defined]  # noqa: E731
    renamed = Problem(
        processors=shuffle([replace(p, name=f"x{p.name}") for p in problem.processors]),
        tasks=shuffle(
            [
                replace(
                    t,
                    name=f"y{t.name}",
                    options=tuple(replace(o, processor=f"x{o.processor}") for o in t.options),
                )
                for t in problem.tasks
            ]
        ),
        edges=shuffle([replace(e, source=f"y{e.source}", target=f"y{e.target}") for e in problem.edges]),
        links=shuffle([replace(k, source=f"x{k.source}", target=f"x{k.target}") for k in problem.links]),
    )
    first, second = makespan(problem), makespan(renamed)
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert math.isclose(first, second, rel_tol=1e-9)


def makespan(problem: Problem) -> float | None:
    try:
        return solve(problem).makespan_s
    except InfeasibleError:
        return None
