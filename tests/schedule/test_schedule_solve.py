"""What leaves the scheduler: files, special cases, budgets."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hetero.errors import ProblemError
from hetero.schedule import (
    Edge,
    Limits,
    Link,
    Option,
    Placement,
    Problem,
    Processor,
    Task,
    solve,
    verify,
    violations,
)
from hetero.schedule.command import run_file

PAIR = Problem(
    (Processor("p"), Processor("q")),
    (
        Task("a", (Option("p", 3.0, joules=1.0), Option("q", 2.0, joules=4.0))),
        Task("b", (Option("p", 3.0, joules=1.0), Option("q", 2.0, joules=4.0))),
    ),
)


def test_no_task_is_a_schedule_too() -> None:
    """An empty problem has an empty schedule of no length."""
    schedule = solve(Problem())
    assert (schedule.tasks, schedule.makespan_s, schedule.proven_optimal) == ((), 0.0, True)


@pytest.mark.parametrize("objective", ["latency", "throughput", "energy", "cost"])
def test_zero_length_tasks_hold_no_cores(objective: str) -> None:
    """Tasks of no length run side by side, whatever cores they name."""
    problem = Problem((Processor("p"),), tuple(Task(name, (Option("p", 0.0, cores=4),)) for name in "abc"))
    schedule = solve(problem, objective=objective)  # type: ignore[arg-type]
    assert schedule.makespan_s == 0.0
    assert schedule.proven_optimal


def test_schedules_have_the_documented_json(tmp_path: Path) -> None:
    """Each objective writes exactly the fields that the format names."""
    PAIR.save(tmp_path / "problem.json")
    keys = {
        "latency": ["objective", "makespan_s", "lower_bound_s", "proven_optimal", "tasks"],
        "throughput": ["objective", "period_s", "lower_bound_s", "proven_optimal", "tasks"],
        "energy": ["objective", "makespan_s", "objective_value", "lower_bound", "proven_optimal", "tasks"],
    }
    keys["cost"] = keys["energy"]
    for objective, names in keys.items():
        out = tmp_path / f"{objective}.json"
        text = run_file(tmp_path / "problem.json", objective, out=out)  # type: ignore[arg-type]
        assert "proven optimal" in text
        assert ("makespan" in text) is (objective != "throughput")
        assert "busy for" in text
        written = json.loads(out.read_text())
        assert list(written) == names
        task = ["name", "option"] if objective == "throughput" else ["name", "option", "start_s", "end_s"]
        assert [list(entry) for entry in written["tasks"]] == [task, task]


def test_energy_breaks_ties_by_time() -> None:
    """Among schedules of least energy the shortest is given."""
    schedule = solve(PAIR, objective="energy")
    assert (schedule.objective_value, schedule.makespan_s) == (2.0, 6.0)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """Where the schedule cannot be written, what was there stays as it was."""
    PAIR.save(tmp_path / "problem.json")
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OSError, match="folder"):
        run_file(tmp_path / "problem.json", out=target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "problem.json"]


def test_memory_of_a_model_used_twice_counts_once() -> None:
    """Two options with one resident key share its bytes, so both fit where two copies would not."""
    tasks = tuple(Task(name, (Option("p", 1.0, memory_bytes=6, resident="weights"),)) for name in "ab")
    assert solve(Problem((Processor("p", memory_bytes=8),), tasks)).makespan_s == 2.0


def test_verify_names_what_is_wrong() -> None:
    """Each kind of broken rule is found and named."""
    problem = Problem(
        (Processor("p", 1, 10), Processor("q")),
        (
            Task("a", (Option("p", 2.0, memory_bytes=6), Option("q", 2.0))),
            Task("b", (Option("p", 2.0, memory_bytes=6), Option("q", 2.0))),
        ),
        (Edge("a", "b", 4.0),),
        (Link("p", "q", 1.0, 4.0),),
    )
    good = solve(problem)
    assert violations(problem, good) == ()

    def broken(*placements: Placement) -> str:
        makespan = max(p.end_s for p in placements)
        schedule = replace(
            good, tasks=placements, makespan_s=makespan, objective_value=makespan, lower_bound=0.0
        )
        return " / ".join(violations(problem, schedule))

    a = Placement("a", 0, 0.0, 2.0)
    assert "before the data of 'a' arrives at 4" in broken(a, Placement("b", 1, 2.0, 4.0))
    assert "12 of its 10 bytes" in broken(a, Placement("b", 0, 2.0, 4.0))
    assert "uses 2 of its 1 cores" in broken(a, Placement("b", 0, 1.0, 3.0))
    assert "takes 2.0 s" in broken(a, Placement("b", 1, 4.0, 5.0))
    assert "no link" not in broken(a, Placement("b", 1, 4.0, 6.0))
    assert "needs a link from 'q' to 'p'" in broken(Placement("a", 1, 0.0, 2.0), Placement("b", 0, 2.0, 4.0))
    assert "options, not option 2" in broken(a, Placement("b", 2, 4.0, 6.0))
    with pytest.raises(ProblemError, match="starts at -1"):
        verify(problem, replace(good, tasks=(Placement("a", 0, -1.0, 1.0), good.tasks[1])))


def test_importing_and_trivial_problems_load_no_solver() -> None:
    """Where list scheduling meets the bound, OR-Tools, SciPy and Numba are never loaded."""
    program = (
        "import sys; from hetero.schedule import *;"
        "s = solve(Problem((Processor('p'),), (Task('a', (Option('p', 1.0),)),)));"
        "assert s.proven_optimal;"
        "heavy = {'ortools', 'scipy', 'numba', 'pandas'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_steps_repeat() -> None:
    """The same steps and seed give the same schedule."""
    problem = Problem(
        tuple(Processor(f"p{i}") for i in range(3)),
        tuple(
            Task(f"t{i}", tuple(Option(f"p{k}", 1 + (7 * i + 5 * k + i * k) % 11) for k in range(3)))
            for i in range(14)
        ),
        tuple(
            Edge(f"t{i}", f"t{j}", (i * j) % 5)
            for i in range(14)
            for j in range(i + 1, 14)
            if (i + j) % 4 == 0
        ),
        tuple(Link(f"p{a}", f"p{b}", 0.5, 2.0) for a in range(3) for b in range(3) if a != b),
    )
    assert solve(problem, steps=200, seed=3) == solve(problem, steps=200, seed=3)


def test_more_steps_are_never_worse() -> None:
    """A larger budget of steps begins with the work of a smaller one."""
    problem = Problem(
        tuple(Processor(f"p{i}") for i in range(4)),
        tuple(
            Task(f"t{i}", tuple(Option(f"p{k}", 1 + (5 * i + 3 * k + i * i * k) % 13) for k in range(4)))
            for i in range(45)
        ),
        tuple(
            Edge(f"t{i}", f"t{j}", (i * j) % 7)
            for i in range(45)
            for j in range(i + 1, 45)
            if (i * i + j) % 23 == 0
        ),
        tuple(Link(f"p{a}", f"p{b}", 0.5, 2.0) for a in range(4) for b in range(4) if a != b),
    )
    found = [solve(problem, steps=steps, seed=1) for steps in (0, 20, 100, 400)]
    makespans = [schedule.makespan_s for schedule in found]
    assert makespans == sorted(makespans, reverse=True)
    assert solve(problem, steps=100, seed=1) == found[2]


def test_equal_processors_are_pooled_and_dealt_out_again() -> None:
    """Without transfers, equal processors give the optimum of one with all their cores."""
    seconds = [7, 5, 4, 4, 3, 3, 2]
    problem = Problem(
        tuple(Processor(f"p{i}") for i in range(3)),
        tuple(
            Task(f"t{i}", tuple(Option(f"p{k}", float(s)) for k in range(3))) for i, s in enumerate(seconds)
        ),
        (Edge("t0", "t6"), Edge("t1", "t5")),
    )
    schedule = solve(problem)
    assert (schedule.makespan_s, schedule.proven_optimal) == (10.0, True)


def test_the_dense_list_schedule_is_valid() -> None:
    """What the compiled list scheduler makes of arrays keeps every rule of the same problem."""
    import numpy as np

    from hetero.schedule import Schedule
    from hetero.schedule.dense import list_schedule

    rng = np.random.default_rng(1)
    seconds = rng.uniform(1.0, 9.0, (60, 3))
    target = np.repeat(np.arange(1, 60), 2)
    source = (rng.random(len(target)) * target).astype(np.int64)
    nbytes = rng.integers(0, 9, len(target)).astype(float)
    found = list_schedule(seconds, source, target, nbytes, np.full((3, 3), 0.5), np.full((3, 3), 2.0))
    problem = Problem(
        tuple(Processor(f"p{k}") for k in range(3)),
        tuple(
            Task(f"t{i}", tuple(Option(f"p{k}", float(seconds[i, k])) for k in range(3))) for i in range(60)
        ),
        tuple(Edge(f"t{a}", f"t{b}", float(n)) for a, b, n in zip(source, target, nbytes, strict=True)),
        tuple(Link(f"p{a}", f"p{b}", 0.5, 2.0) for a in range(3) for b in range(3) if a != b),
    )
    placements = tuple(
        Placement(f"t{i}", int(k), float(start), float(start + seconds[i, k]))
        for i, (k, start) in enumerate(zip(found.processor, found.start_s, strict=True))
    )
    makespan = found.makespan_s
    assert violations(problem, Schedule("latency", placements, makespan, makespan, 0.0, False, "dense")) == ()


def test_no_model_is_built_that_the_budget_has_no_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Building a model does not look at the clock, so with 50 ms a large one is not begun."""
    called: list[object] = []
    monkeypatch.setattr("hetero.schedule.latency._Solve._exact", lambda solve, effort: called.append(effort))
    names = [f"p{number}" for number in range(4)]
    tasks = tuple(
        Task(f"t{t}", tuple(Option(name, 1.0 + (7 * t + 3 * p) % 5) for p, name in enumerate(names)))
        for t in range(150)
    )
    edges = tuple(Edge(f"t{t - step}", f"t{t}", 1.0) for t in range(9, 150) for step in (3, 5, 9))
    links = tuple(Link(a, b, 0.1, 1.0) for a in names for b in names if a != b)
    problem = Problem(tuple(map(Processor, names)), tasks, edges, links)
    schedule = solve(problem, budget_seconds=0.05)
    assert not schedule.proven_optimal
    assert not called
    solve(problem, budget_seconds=0.0, steps=60)
    assert called


def test_a_budget_shorter_than_loading_a_solver_loads_none() -> None:
    """Of 20 tasks the list schedule comes at once, where the import alone would take several times the budget."""
    program = (
        "import sys; from hetero.schedule.warm import random_problem; from hetero.schedule import solve;"
        "s = solve(random_problem(20), budget_seconds=0.05);"
        "assert not s.proven_optimal;"
        "heavy = {'ortools', 'scipy', 'numba'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("objective", "limits"),
    [
        ("energy", Limits(seconds=1000.0)),
        ("throughput", Limits(joules=400.0)),
        ("throughput", Limits(seconds=1000.0)),
    ],
)
def test_under_limits_no_model_is_built_either(
    monkeypatch: pytest.MonkeyPatch, objective: str, limits: Limits
) -> None:
    """Energy and throughput under limits keep a short budget as latency does."""

    def refused(*_: object, **__: object) -> None:
        pytest.fail("a model is written down that the budget has no time for")

    for name in ("minimise_makespan", "minimise_sum", "minimise_period"):
        monkeypatch.setattr(f"hetero.schedule.exact.{name}", refused)
    names = [f"p{number}" for number in range(8)]
    tasks = tuple(
        Task(
            f"t{t}", tuple(Option(n, 1.0 + (7 * t + 3 * p) % 5, joules=1.0 + p) for p, n in enumerate(names))
        )
        for t in range(250)
    )
    edges = tuple(Edge(f"t{t - step}", f"t{t}", 1.0) for t in range(9, 250) for step in (3, 5, 9))
    links = tuple(Link(a, b, 0.1, 1.0) for a in names for b in names if a != b)
    problem = Problem(tuple(map(Processor, names)), tasks, edges, links)
    schedule = solve(problem, objective=objective, limits=limits, budget_seconds=0.1)  # type: ignore[arg-type]
    assert violations(problem, schedule, limits) == ()
