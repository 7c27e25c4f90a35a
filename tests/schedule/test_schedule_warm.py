"""What is compiled ahead is what solving needs."""

from __future__ import annotations

from hetero.schedule import solve
from hetero.schedule.warm import LARGE, SMALL, random_problem


def test_both_searches_are_reached() -> None:
    """On either size the list schedules leave something to a search, so that its kernel is compiled."""
    for tasks in (SMALL, LARGE):
        problem = random_problem(tasks)
        listed = solve(problem, budget_seconds=0.0)
        assert not listed.proven_optimal
        assert solve(problem, budget_seconds=2.0).makespan_s < listed.makespan_s
