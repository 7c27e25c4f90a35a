"""Malformed problems get one clear line; well-formed ones survive a round trip."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from hetero.cli import main
from hetero.errors import HeteroError, InfeasibleError, ProblemError
from hetero.schedule import Edge, Limits, Option, Problem, Processor, Task, solve

from .random_problems import problems

GOOD: dict[str, Any] = {
    "processors": [{"name": "cpu", "cores": 8, "memory_bytes": 16e9}, {"name": "gpu0"}],
    "links": [{"from": "cpu", "to": "gpu0", "latency_s": 1e-4, "bytes_per_s": 1e10}],
    "tasks": [
        {"name": "a", "options": [{"processor": "cpu", "cores": 2, "seconds": 0.01}]},
        {"name": "b", "options": [{"processor": "gpu0", "seconds": 0.02, "resident": "weights"}]},
    ],
    "edges": [{"from": "a", "to": "b", "bytes": 1000}],
}


def changed(path: list[str | int], value: Any) -> dict[str, Any]:
    """The good problem with one thing replaced, or removed where `value` is the ellipsis."""
    data = copy.deepcopy(GOOD)
    place: Any = data
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return data


@settings(deadline=None, max_examples=50)
@given(problem=problems())
def test_a_problem_survives_json(problem: Problem) -> None:
    """Writing a problem as JSON and reading it back gives an equal value."""
    assert Problem.from_dict(json.loads(json.dumps(problem.to_dict()))) == problem


def test_defaults_are_the_format_s() -> None:
    """Fields that a file leaves out have the values that the format states."""
    problem = Problem.from_dict(GOOD)
    assert problem.processors[1] == Processor("gpu0", 1, None)
    assert problem.tasks[0].options[0] == Option("cpu", 0.01, 2, 0, 0, 0, 0, None)
    assert problem.limits == Limits()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["processors"], ..., ["problem", "'processors'", "missing"]),
        (["processors"], {}, ["'processors'", "list"]),
        (["processors", 0], 3, ["processors[0]", "object"]),
        (["processors", 1, "name"], "cpu", ["'cpu'", "2 times"]),
        (["processors", 0, "cores"], 0, ["'cpu'", "cores", "0"]),
        (["processors", 0, "cores"], 1.5, ["'cpu'", "cores", "1.5"]),
        (["processors", 0, "memory_bytes"], -1, ["'cpu'", "memory_bytes", "-1"]),
        (["links", 0, "to"], "tpu", ["'tpu'", "'cpu'", "'gpu0'"]),
        (["links", 0, "bytes_per_s"], 0, ["bytes_per_s", "0"]),
        (["links", 0, "bytes_per_s"], 1e-300, ["bytes_per_s", "1e-300"]),
        (["links", 0, "bytes_per_s"], float("inf"), ["bytes_per_s", "inf"]),
        (["links", 0, "latency_s"], float("nan"), ["'cpu'", "'gpu0'", "latency_s", "nan"]),
        (["links"], [GOOD["links"][0]] * 2, ["'cpu'", "'gpu0'", "twice"]),
        (["processors", 0, "cores"], 10**30, ["'cpu'", "cores", "1,000,000,000"]),
        (["tasks", 0, "options", 0, "seconds"], 1e308, ["task 'a', option 0", "seconds", "1e+30"]),
        (["tasks", 0, "options", 0, "seconds"], 10**400, ["task 'a', option 0", "seconds", "1e+30"]),
        (["tasks", 0, "options", 0, "seconds"], None, ["task 'a', option 0", "seconds", "None"]),
        (["tasks"], None, ["'tasks'", "null", "list"]),
        (["edges", 0, "bytes"], float("nan"), ["'a'", "'b'", "bytes", "nan"]),
        (["links", 0, "latency_s"], ..., ["links[0]", "latency_s", "missing"]),
        (["tasks", 0, "name"], 7, ["task name", "7"]),
        (["tasks", 0, "name"], "b", ["task 'b'", "2 times"]),
        (["tasks", 0, "options"], [], ["task 'a'", "no options"]),
        (["tasks", 0, "options"], ..., ["'options'", "missing"]),
        (["tasks", 0, "options", 0, "processor"], ["cpu"], ["task 'a', option 0", "processor"]),
        (["tasks", 0, "options", 0, "processor"], "cpu0", ["task 'a', option 0", "'cpu0'", "'cpu'"]),
        (["tasks", 0, "options", 0, "seconds"], ..., ["task 'a'", "options[0]", "seconds"]),
        (["tasks", 0, "options", 0, "seconds"], -0.1, ["task 'a', option 0", "seconds", "-0.1"]),
        (["tasks", 0, "options", 0, "seconds"], float("nan"), ["task 'a', option 0", "seconds", "nan"]),
        (["tasks", 0, "options", 0, "seconds"], float("inf"), ["task 'a', option 0", "seconds", "inf"]),
        (["tasks", 0, "options", 0, "seconds"], "1", ["task 'a', option 0", "seconds", "'1'"]),
        (["tasks", 0, "options", 0, "seconds"], True, ["task 'a', option 0", "seconds", "True"]),
        (["tasks", 0, "options", 0, "memory_byte"], 4, ["'memory_byte'", "'memory_bytes'"]),
        (["tasks", 0, "options", 0, "resident"], 4, ["task 'a', option 0", "resident"]),
        (["edges", 0, "from"], "z", ["'z'", "'a'", "'b'"]),
        (["edges", 0, "bytes"], -5, ["'a'", "'b'", "bytes", "-5"]),
        (["edges", 0, "to"], "a", ["cycle", "a -> a"]),
        (["limits"], {"time": 3}, ["'time'", "seconds"]),
        (["limits"], {"joules": float("nan")}, ["joules", "nan"]),
        (["limits"], [1], ["limits", "list", "object"]),
        (["limits"], [], ["limits", "list", "object"]),
        (["limits"], 0, ["limits", "0", "object"]),
        (["limits"], {"seconds": 5, "latency_s": 3}, ["seconds", "latency_s", "one of them"]),
        (["limits"], {"joules": -3}, ["joules", "-3"]),
        (["version"], 2, ["version", "2", "1"]),
        (["version"], True, ["version", "True", "1"]),
        (["processors", 1, "name"], "gpu\ud800", ["gpu\\ud800", "surrogate"]),
    ],
)
def test_a_malformed_problem_names_place_and_value(
    path: list[str | int], value: Any, words: list[str]
) -> None:
    """The one-line message names the place, what was found and what is allowed."""
    with pytest.raises(ProblemError) as caught:
        Problem.from_dict(changed(path, value))
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_cycle_is_named() -> None:
    """The message shows the tasks of one cycle in order."""
    tasks = tuple(Task(name, (Option("p", 1.0),)) for name in "abcd")
    edges = (Edge("a", "b"), Edge("b", "c"), Edge("c", "b"), Edge("c", "d"))
    with pytest.raises(ProblemError, match=r"b -> c -> b|c -> b -> c"):
        Problem((Processor("p"),), tasks, edges)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, "\x00\xff"])
def test_what_is_not_a_problem_file_is_refused(tmp_path: Path, text: str) -> None:
    """Anything that is not a JSON object is a ProblemError, never another exception."""
    path = tmp_path / "problem.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProblemError):
        Problem.load(path)


@pytest.mark.parametrize("name", ["tasks", "seconds"])
def test_a_field_that_is_given_twice_is_refused(tmp_path: Path, name: str) -> None:
    """Which of the two was meant nobody knows: a reader that takes the last would plan with a stale one."""
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(GOOD).replace(f'"{name}": ', f'"{name}": 0, "{name}": ', 1), encoding="utf-8")
    with pytest.raises(ProblemError, match=rf"problem\.json.*'{name}' twice"):
        Problem.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The message names a file that cannot be read."""
    with pytest.raises(ProblemError, match="nowhere"):
        Problem.load(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    ("problem", "limits", "words"),
    [
        (
            Problem((Processor("p", 2),), (Task("a", (Option("p", 1.0, cores=3),)),)),
            None,
            ["'a'", "3 cores", "'p'", "2"],
        ),
        (
            Problem((Processor("p", memory_bytes=5),), (Task("a", (Option("p", 1.0, memory_bytes=8),)),)),
            None,
            ["'a'", "8 bytes", "3 too many"],
        ),
        (
            Problem(
                (Processor("p", memory_bytes=5),),
                tuple(Task(name, (Option("p", 1.0, memory_bytes=4),)) for name in "ab"),
            ),
            None,
            ["3 bytes of memory are missing", "'p'"],
        ),
        (
            Problem((Processor("p"),), tuple(Task(name, (Option("p", 2.0),)) for name in "ab")),
            Limits(seconds=3.5),
            ["4 s", "0.5 s over the limit of 3.5"],
        ),
        (
            Problem((Processor("p"),), tuple(Task(name, (Option("p", 2.0, joules=2),)) for name in "ab")),
            Limits(joules=3),
            ["joules", "1 over the limit of 3"],
        ),
        (
            Problem(
                (Processor("p"), Processor("q")),
                (Task("a", (Option("p", 1.0),)), Task("b", (Option("q", 1.0),))),
                (Edge("a", "b", 1.0),),
            ),
            None,
            ["no link", "'a'", "'b'"],
        ),
    ],
)
def test_what_cannot_fit_says_which_limit_binds(
    problem: Problem, limits: Limits | None, words: list[str]
) -> None:
    """InfeasibleError names the limit that binds and by how much."""
    with pytest.raises(InfeasibleError) as caught:
        solve(problem, limits=limits)
    for word in words:
        assert word in str(caught.value)


def test_an_unknown_objective_lists_the_known() -> None:
    """A misspelt objective is an error that lists the four."""
    with pytest.raises(HeteroError, match="latency, throughput, energy, cost"):
        solve(Problem(), objective="speed")  # type: ignore[arg-type]


def test_limits_beside_the_problem_are_checked_too() -> None:
    """A limit that no schedule could be compared with is refused before work starts."""
    with pytest.raises(ProblemError, match="joules is -1"):
        solve(Problem(), limits=Limits(joules=-1))


BAD_FILES = {
    "infeasible": changed(["processors", 0, "memory_bytes"], 1e3)
    | {
        "tasks": [
            {"name": n, "options": [{"processor": "cpu", "seconds": 1, "memory_bytes": 600}]} for n in "ab"
        ]
    },
    "malformed": changed(["tasks"], {}),
    "negative": changed(["tasks", 0, "options", 0, "seconds"], -1),
    "not a number": changed(["tasks", 0, "options", 0, "seconds"], float("nan")),
    "infinite": changed(["edges", 0, "bytes"], float("inf")),
    "cyclic": changed(["edges"], [{"from": "a", "to": "b"}, {"from": "b", "to": "a"}]),
    "duplicate name": changed(["tasks", 0, "name"], "b"),
    "unknown processor": changed(["tasks", 0, "options", 0, "processor"], "tpu"),
    "missing link": changed(["links"], []),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_the_command_ends_with_2_and_one_line(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`hetero schedule` answers every kind of bad input with exit status 2, one line, and no schedule."""
    path, out = tmp_path / "problem.json", tmp_path / "schedule.json"
    path.write_text(json.dumps(BAD_FILES[kind]), encoding="utf-8")
    status = main(["schedule", str(path), "--budget", "1", "--out", str(out)])
    printed = capsys.readouterr()
    assert status == 2
    assert printed.out == ""
    assert printed.err.startswith("hetero: ")
    assert printed.err.count("\n") == 1
    assert not out.exists()
