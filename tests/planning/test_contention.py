"""What running side by side does to a schedule's times."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.planning.contention import (
    LOCK_EFFICIENCY,
    Contention,
    chained,
    contended_makespan,
    in_turn,
    overlaps,
    retimed,
    weighted,
)
from hetero.schedule.problem import Edge, Link, Option, Problem, Processor, Task
from hetero.schedule.solve import solve
from hetero.schedule.verify import verify

ALONE = Contention({})
SLOW = Contention({2: 0.5})


def problem(
    *tasks: tuple[str, float, int], cores: int = 2, edges: tuple[tuple[str, str], ...] = ()
) -> Problem:
    return Problem(
        (Processor("cpu", cores),),
        tuple(Task(name, (Option("cpu", seconds, threads),)) for name, seconds, threads in tasks),
        tuple(Edge(*edge) for edge in edges),
    )


def makespan(made: Problem, contention: Contention, locked: set[str] = frozenset()) -> float:  # type: ignore[assignment]
    return contended_makespan(made, solve(made, budget_seconds=1.0), contention, locked)


def test_speed_is_that_of_the_nearest_measured_number_of_cores() -> None:
    """Between two measured numbers the smaller one counts; one core alone is at full speed."""
    contention = Contention({2: 0.9, 4: 0.6})
    assert [contention.speed(n) for n in (1, 2, 3, 4, 8)] == [1.0, 0.9, 0.9, 0.6, 0.6]


def test_two_tasks_side_by_side_slow_each_other_down() -> None:
    """At half speed each, two of one second take two; the longer one is alone for the rest."""
    assert makespan(problem(("a", 1, 1), ("b", 1, 1)), SLOW) == pytest.approx(2.0)
    assert makespan(problem(("a", 1, 1), ("b", 3, 1)), SLOW) == pytest.approx(4.0)


def test_a_task_that_has_the_processor_for_itself_is_at_its_measured_speed() -> None:
    """However many threads it has."""
    assert makespan(problem(("a", 1, 2)), SLOW) == pytest.approx(1.0)
    assert makespan(problem(("a", 1, 1), ("b", 1, 1), edges=(("a", "b"),)), SLOW) == pytest.approx(2.0)


def test_python_functions_take_turns() -> None:
    """Two that hold the interpreter lock take as long as one after the other; a model beside one does not wait."""
    both = problem(("a", 1, 1), ("b", 1, 1))
    assert makespan(both, ALONE, {"a", "b"}) == pytest.approx(2.0 / LOCK_EFFICIENCY)
    assert makespan(both, ALONE, {"a"}) == pytest.approx(1.0)


def test_two_that_were_measured_beside_each_other_go_by_that() -> None:
    """Not by the model, and each by its own figure; beside a third one the slowest of all that is known counts."""
    a, b = ("a", 0), ("b", 0)
    known = Contention({2: 0.5, 3: 0.25}, {(a, b): 1.0, (b, a): 0.8})
    assert makespan(problem(("a", 1, 1), ("b", 0.8, 1)), known) == pytest.approx(1.0)
    assert known.beside(a, [b], 2) == 1.0
    assert known.beside(a, [("c", 0)], 2) == 0.5
    assert known.beside(a, [b, ("c", 0)], 3) == 0.25
    assert weighted(problem(("b", 0.8, 1)), known).tasks[0].options[0].seconds == pytest.approx(1.0)


def test_in_turn_nothing_overlaps() -> None:
    """Each option takes the whole processor, and the schedule is one of the problem itself too."""
    made = problem(("a", 1, 1), ("b", 1, 1))
    assert [(a.name, b.name) for a, b in overlaps(made, solve(made, budget_seconds=1.0))] == [("a", "b")]
    found = solve(in_turn(made), budget_seconds=1.0)
    assert overlaps(made, found) == []
    assert found.makespan_s == pytest.approx(2.0)
    verify(made, found)


def test_transfers_are_waited_for() -> None:
    """A task starts when its data has arrived from another processor's memory."""
    made = Problem(
        (Processor("cpu"), Processor("gpu0")),
        (Task("a", (Option("cpu", 1.0),)), Task("b", (Option("gpu0", 1.0),))),
        (Edge("a", "b", 100.0),),
        (Link("cpu", "gpu0", 0.5, 100.0),),
    )
    assert makespan(made, SLOW) == pytest.approx(3.5)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    count = draw(st.integers(1, 6))
    cores = draw(st.integers(1, 3))
    seconds = st.sampled_from([0.0, 1e-6, 0.3, 1.0, 2.5])
    tasks = [(f"t{i}", draw(seconds), draw(st.integers(1, cores))) for i in range(count)]
    edges = tuple((f"t{i}", f"t{j}") for j in range(count) for i in range(j) if draw(st.integers(0, 3)) == 0)
    return problem(*tasks, cores=cores, edges=edges)


@settings(max_examples=40, deadline=None)
@given(problems(), st.floats(0.2, 1.0), st.booleans())
def test_contention_never_shortens_a_schedule(made: Problem, speed: float, lock: bool) -> None:
    """Alone it is the schedule's own makespan; slowed down it is longer, by no more than the slowest speed says."""
    schedule = solve(made, budget_seconds=0.2)
    assert contended_makespan(made, schedule, ALONE) == pytest.approx(schedule.makespan_s, abs=1e-12)
    locked = {task.name for task in made.tasks} if lock else set()
    slow = contended_makespan(made, schedule, Contention({2: speed}), locked)
    cores = made.processors[0].cores
    slowest = min(speed, LOCK_EFFICIENCY / cores) if lock and cores > 1 else speed
    assert schedule.makespan_s * (1 - 1e-9) <= slow <= schedule.makespan_s / slowest * (1 + 1e-9) + 1e-12


@settings(max_examples=20, deadline=None)
@given(problems(), st.floats(0.2, 1.0))
def test_a_careful_schedule_is_valid_with_the_real_times(made: Problem, speed: float) -> None:
    """Solved with everything slowed down, and put back to the measured durations, it breaks no rule."""
    slower = weighted(made, Contention({made.processors[0].cores: speed}))
    schedule = retimed(made, solve(slower, budget_seconds=0.2))
    verify(made, replace(schedule, lower_bound=0.0))


def test_python_functions_are_chained_in_the_order_of_the_schedule() -> None:
    """The careful problem has an edge between two functions that overlapped, and its schedule runs them in turn."""
    both = problem(("a", 1.0, 1), ("b", 1.0, 1), ("model", 1.0, 1), cores=2)
    careful = chained(both, solve(both, budget_seconds=0.2), {"a", "b"})
    assert len(careful.edges) == 1
    schedule = solve(careful, budget_seconds=0.2)
    times = {t.name: (t.start_s, t.end_s) for t in schedule.tasks}
    assert times["a"][1] <= times["b"][0] or times["b"][1] <= times["a"][0]
    assert contended_makespan(both, retimed(both, schedule), ALONE, {"a", "b"}) == pytest.approx(2.0)
