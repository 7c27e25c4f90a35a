"""Large neighbourhoods: what is kept stays, what is found is valid and better, and a rerun finds the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from hetero.schedule import Limits, Option, Problem, Processor, Task
from hetero.schedule.arrays import Arrays, to_arrays
from hetero.schedule.bounds import quick_bound
from hetero.schedule.draft import Draft
from hetero.schedule.effort import Effort
from hetero.schedule.exact import shorten_part
from hetero.schedule.neighbourhoods import Neighbourhoods, order_on_cores, slack, worth_while
from hetero.schedule.repair import starting_draft
from hetero.schedule.solve import Found, _schedule
from hetero.schedule.usable import usable_options
from hetero.schedule.verify import violations

from .brute_force import optimum
from .random_problems import problems
from .test_schedule_moldable import moldable


def begun(problem: Problem, limits: Limits) -> tuple[Arrays, Draft]:
    arrays = to_arrays(problem, usable_options(problem, "latency", limits))
    begin = starting_draft(arrays, limits)
    assert begin is not None
    return arrays, begin


@pytest.mark.parametrize(
    ("memory_bytes", "limits"),
    [(None, Limits()), (36.0, Limits()), (None, Limits(joules=110.0, memory_bytes=60.0))],
)
def test_what_is_found_is_valid_and_better(memory_bytes: float | None, limits: Limits) -> None:
    """Memory with shared copies and limited sums are kept, and a better schedule is found."""
    problem = moldable(40, memory_bytes)
    arrays, begin = begun(problem, limits)
    assert worth_while(arrays)
    search = Neighbourhoods(arrays, limits, begin, 0)
    search.iterate(12, 0.0)
    assert search.best.makespan_s < begin.makespan_s
    found = Found(search.best, search.best.makespan_s, quick_bound(arrays))
    assert violations(problem, _schedule(problem, arrays, "latency", found), limits) == ()


def test_a_rerun_finds_the_same_and_more_parts_are_never_worse() -> None:
    """The same seed draws the same parts, whether they are asked for at once or one by one."""
    arrays, begin = begun(moldable(40, None), Limits())
    whole, portions = (Neighbourhoods(arrays, Limits(), begin, 3) for _ in range(2))
    whole.iterate(5, 0.0)
    reached = []
    for _ in range(5):
        portions.iterate(1, 0.0)
        reached.append(portions.best.makespan_s)
    assert reached == sorted(reached, reverse=True)
    assert (whole.best.option == portions.best.option).all()
    assert (whole.best.start_s == portions.best.start_s).all()


def test_the_rest_keeps_its_options_and_its_order() -> None:
    """Only free tasks change options, and of two others on the same cores the first stays the first."""
    arrays, begin = begun(moldable(14, None), Limits())
    for seed in range(10):
        free = np.random.default_rng(seed).uniform(size=arrays.tasks) < 0.6
        order = order_on_cores(arrays, begin, ~free)
        effort = Effort(float("inf"), 0.1, seed)
        made = shorten_part(arrays, Limits(), begin, free, order, lower_s=0.0, effort=effort).draft
        if made is None:
            continue
        assert made.makespan_s < begin.makespan_s
        assert (made.option[~free] == begin.option[~free]).all()
        ends = made.start_s + arrays.seconds[made.option]
        assert all(made.start_s[after] >= ends[before] - 1e-9 for before, after in order)
        return
    pytest.fail("no part gave a shorter schedule, so that nothing was tested")


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(problem=problems())
def test_with_every_task_free_the_optimum_is_found(problem: Problem) -> None:
    """A part that is the whole problem ends at the value that trying everything finds, and claims nothing else."""
    best = optimum(problem, "latency")
    if best is None:
        return
    arrays = to_arrays(problem, usable_options(problem, "latency", Limits()))
    begin = starting_draft(arrays, Limits())
    if begin is None or begin.makespan_s == 0:
        return
    everything = np.ones(arrays.tasks, dtype=bool)
    effort = Effort(float("inf"), 5.0, 0)
    outcome = shorten_part(arrays, Limits(), begin, everything, (), lower_s=0.0, effort=effort)
    assert (outcome.draft is None) == outcome.infeasible
    reached = begin if outcome.draft is None else outcome.draft
    assert reached.makespan_s == pytest.approx(best, rel=1e-8)


def test_slack_is_what_a_task_may_be_late() -> None:
    """Some task has none, and none has more than the time after its end."""
    arrays, begin = begun(moldable(40, None), Limits())
    left = slack(arrays, begin)
    ends = begin.start_s + arrays.seconds[begin.option]
    assert left.min() == pytest.approx(0.0, abs=1e-9)
    assert (left <= begin.makespan_s - ends + 1e-9).all()


def test_processors_with_lanes_are_left_to_tabu_search() -> None:
    """There large neighbourhoods gained nothing (docs/adr/0029)."""
    cores = (Processor("cpu", 4),)
    single = Problem(cores, tuple(Task(f"t{number}", (Option("cpu", 1.0),)) for number in range(8)))
    assert not worth_while(begun(single, Limits())[0])
