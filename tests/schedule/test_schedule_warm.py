"""What is compiled ahead is what solving needs."""

from __future__ import annotations

import pytest

from hetero.schedule import Problem, solve
from hetero.schedule.warm import LARGE, SMALL, random_problem


@pytest.mark.parametrize(
    "problem", [random_problem(SMALL), random_problem(LARGE), random_problem(LARGE, moldable=True)]
)
def test_every_search_is_reached(problem: Problem) -> None:
    """On each problem the list schedules leave something to a search, so that its kernel is compiled."""
    listed = solve(problem, budget_seconds=0.0)
    assert not listed.proven_optimal
    assert solve(problem, budget_seconds=2.0).makespan_s < listed.makespan_s
