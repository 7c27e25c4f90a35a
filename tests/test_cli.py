"""The command line: what it prints, what it writes, and how bad input ends."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import hetero as ht
from hetero.cli import main
from hetero.commands.target import Target
from hetero.progress_bar import progress_bar

PIPELINE = '''
"""A pipeline of a person's own, with its sample."""
import hetero as ht

@ht.node
def double(x):
    return 2 * x

@ht.node
def add(x, y):
    return x + y

@ht.pipeline
def twice_and_once(x):
    return add(double(x), x)

def sample():
    return (14,)

def show(result):
    return f"the answer is {result}"
'''

PROBLEM = {
    "processors": [{"name": "cpu", "cores": 1}, {"name": "gpu"}],
    "tasks": [
        {
            "name": "a",
            "options": [{"processor": "cpu", "seconds": 2.0}, {"processor": "gpu", "seconds": 1.0}],
        },
        {
            "name": "b",
            "options": [{"processor": "cpu", "seconds": 1.0}, {"processor": "gpu", "seconds": 3.0}],
        },
    ],
}


@pytest.fixture
def own(tmp_path: Path) -> str:
    """``FILE.py:PIPELINE`` of a file in a folder of its own."""
    file = tmp_path / "mine.py"
    file.write_text(PIPELINE)
    return f"{file}:twice_and_once"


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    file = tmp_path / "problem.json"
    file.write_text(json.dumps(PROBLEM))
    return file


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error with which bad input ends, with exit status 2."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def test_devices_lists_every_known_device(capsys: pytest.CaptureFixture[str]) -> None:
    """Each status of `ht.devices()` has a row: what it can do, or why it is not there."""
    assert main(["devices"]) == 0
    out = capsys.readouterr().out
    for status in ht.devices():
        row = next(line for line in out.splitlines() if line.startswith(status.name))
        assert ("unavailable" in row) is not status.available
        assert status.reason in row


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["plan"], "Missing argument 'NAME'"),
        (["plan", "ocrr"], "did you mean 'ocr'?"),
        (["plan", "mine:x"], "FILE.py:PIPELINE of your own"),
        (["run", "mine"], "FILE.py:PIPELINE of your own"),
        (["plan", "nowhere.py:x"], "nowhere.py: there is no such file"),
        (["plan", "nowhere.py"], "write nowhere.py:PIPELINE"),
        (["plan", "ocr", "--limit", "joules"], "expected NAME=VALUE"),
        (["plan", "ocr", "--limit", "joules=much"], "expected NAME=VALUE"),
        (["plan", "ocr", "--limit", "watts=1"], "unknown limit 'watts'"),
        (
            ["plan", "ocr", "--budget", "x"],
            "'--budget': it should be a valid number. See `hetero plan --help`.",
        ),
        (["run", "ocr", "a", "b"], "unexpected extra argument(s) (b). See `hetero run --help`."),
        (["report", "ocr"], "Missing option '-o' / '--out'. See `hetero report --help`."),
        (["profile"], "name a pipeline"),
        (["profile", "--import", "nowhere.json"], "cannot read nowhere.json"),
        (["profile", "--prune", "--older-than", "-1"], "expected a number of days >= 0"),
        (["schedule", "nowhere.json"], "cannot read nowhere.json"),
        (["report", "nowhere.json", "-o", "x.html"], "cannot read nowhere.json"),
    ],
)
def test_bad_input_ends_with_status_2_and_one_line(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, nothing on standard output, and the line says what is wrong."""
    assert expected in refused(arguments, capsys)


def test_unknown_devices_are_refused_by_name(own: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--allow` with a word that nothing has lists the words that there are."""
    assert "cpu/python" in refused(["plan", own, "--allow", "cpu/pyton"], capsys)


def test_a_file_that_does_not_hold_the_pipeline_says_what_it_holds(
    own: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong name after the colon lists the pipelines and nodes of the file."""
    assert "twice_and_once" in refused(["plan", own.replace("twice_and_once", "thrice")], capsys)


def test_an_error_in_the_persons_own_file_names_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """While it is imported, in a pipeline's body, and through a library that it calls; no other line is named."""
    (tmp_path / "a.py").write_text("import hetero\nimport nowhere_at_all")
    assert "No module named 'nowhere_at_all', raised in a.py:2" in refused(
        ["plan", f"{tmp_path}/a.py:p"], capsys
    )
    (tmp_path / "b.py").write_text("def f(x:")
    assert refused(["plan", f"{tmp_path}/b.py:p"], capsys).rstrip().endswith("(b.py, line 1)")
    (tmp_path / "d.py").write_text("raise SystemExit(0)")
    assert "it ends the program" in refused(["plan", f"{tmp_path}/d.py:p"], capsys)
    (tmp_path / "c.py").write_text(
        "import json\nimport hetero as ht\n\n@ht.pipeline\ndef p(x):\n    return json.loads('{')\n\n"
        "def sample():\n    return (1,)\n"
    )
    assert main(["plan", f"{tmp_path}/c.py:p"]) == 1
    assert "hetero: c.py:6: JSONDecodeError" in capsys.readouterr().err
    (tmp_path / "one.txt").write_text("a question without lines")
    assert ".py" not in refused(["run", "semantic_search", f"{tmp_path}/one.txt"], capsys)
    (tmp_path / "small.csv").write_text("1,2,a\n" * 8)
    assert "small.csv: at least two classes of 5" in (
        said := refused(["run", "quantum_kernel", f"{tmp_path}/small.csv"], capsys)
    )
    assert ".py" not in said
    (tmp_path / "bad.json").write_text("{")
    assert "bad.json is not JSON" in (
        said := refused(["plan", f"{tmp_path}/c.py:p", f"{tmp_path}/bad.json"], capsys)
    )
    assert ".py" not in said


def test_no_command_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody who tries the bare word gets the help, on standard output and without an error."""
    assert main([]) == 0
    printed = capsys.readouterr()
    assert "schedule" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("plan", "--save"),
        ("run", "--results"),
        ("report", "--out"),
        ("schedule", "--out"),
        ("demo", "--report"),
    ],
)
def test_where_a_result_is_to_go_is_looked_at_before_the_work(
    command: str, option: str, own: str, problem: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is not there, or in the place of the file, is told at once, with nothing measured or solved."""
    what = {"schedule": [str(problem)], "demo": []}.get(command, [own])
    assert "no folder" in refused([command, *what, option, "/nowhere/file"], capsys)
    assert "is a folder" in refused([command, *what, option, str(problem.parent)], capsys)


def test_a_guess_has_no_spread_and_no_error(
    own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the table of options a time that nothing was measured for stands apart from those that were."""
    monkeypatch.setenv("HETERO_CACHE", str(tmp_path / "nothing measured"))
    assert main(["profile", own, "--budget", "0"]) == 0
    guessed = [line for line in capsys.readouterr().out.splitlines() if line.split()[-1:] == ["prior"]]
    assert guessed
    assert all("~" in line and "±" not in line for line in guessed)


def test_debug_shows_the_traceback(own: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--debug`, wherever it stands, the traceback comes out; the exit status stays what it is without."""
    wrong = ["plan", own, "--allow", "nothing"]
    assert main(wrong) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert main([*wrong, "--debug"]) == 2
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_plan_explains_and_saves_and_run_uses_what_was_saved(
    own: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`plan --save` writes a file with which `run --plan` gives the pipeline's result, shown as the file says, and
    whose prediction is told as that of its own sample, which may be of another size."""
    saved = tmp_path / "saved.plan.json"
    assert main(["plan", own, "--save", str(saved)]) == 0
    assert "double" in capsys.readouterr().out
    assert main(["run", own, "--plan", str(saved)]) == 0
    printed = capsys.readouterr()
    assert printed.out == "the answer is 42\n"
    assert "predicted when warm, for the sample it was planned on: " in printed.err


FAILING = """
import hetero as ht

@ht.node
def invert(x):
    return 1 / x

@ht.pipeline
def inverse(x):
    return invert(x)
"""


@pytest.mark.parametrize("planned_on", ["2", "0"])
def test_a_node_that_raises_ends_with_status_1_and_the_users_line(
    planned_on: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether that happens when it is measured or when it runs: the input was read, so this is no status 2."""
    (tmp_path / "mine.py").write_text(FAILING)
    (tmp_path / "a.json").write_text(planned_on)
    (tmp_path / "b.json").write_text("0")
    own, saved = f"{tmp_path / 'mine.py'}:inverse", str(tmp_path / "saved.plan.json")
    status = main(["plan", own, str(tmp_path / "a.json"), "--save", saved])
    if status == 0:
        capsys.readouterr()
        status = main(["run", own, str(tmp_path / "b.json"), "--plan", saved])
    assert status == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "node 'invert' failed: ZeroDivisionError" in err
    assert "mine.py:6" in err


def test_run_takes_an_array_or_arguments_from_a_file(
    own: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A `.npy` file is the pipeline's one array, a `.json` file a list of its arguments."""
    np.save(tmp_path / "x.npy", np.array([1, 2]))
    (tmp_path / "x.json").write_text("[5]")
    assert main(["run", own, str(tmp_path / "x.npy")]) == 0
    assert capsys.readouterr().out == "the answer is [3 6]\n"
    assert main(["run", own, str(tmp_path / "x.json")]) == 0
    assert capsys.readouterr().out == "the answer is 15\n"


def test_an_input_that_cannot_be_read_is_named(own: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the file and what would do."""
    assert "x.txt" in refused(["run", own, "x.txt"], capsys)


def test_a_disk_that_takes_nothing_is_one_line(own: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a plan cannot be written the command says so and ends with status 2."""
    assert main(["plan", own, "--save", "/proc/plan.json"]) == 2
    assert "cannot write /proc/plan.json" in capsys.readouterr().err


def test_profiles_go_from_one_store_to_another(
    own: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `profile --export` writes, `--import` takes over elsewhere, `--list` shows and `--prune` drops by age."""
    monkeypatch.setenv("HETERO_CACHE", str(tmp_path / "here"))
    assert main(["profile", own, "--export", str(tmp_path / "profiles.json")]) == 0
    assert "double" in capsys.readouterr().out
    monkeypatch.setenv("HETERO_CACHE", str(tmp_path / "there"))
    assert main(["profile", "--import", str(tmp_path / "profiles.json"), "--list"]) == 0
    out, err = capsys.readouterr()
    assert "cpu/python" in out
    assert "2 measurements taken over" in err
    assert main(["profile", "--prune"]) == 0
    assert "0 measurements dropped" in capsys.readouterr().err
    assert main(["profile", "--prune", "--older-than", "0"]) == 0
    assert "2 measurements dropped" in capsys.readouterr().err


def test_ctrl_c_ends_without_a_traceback(
    own: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted while it measures, the command says so on one line and ends with the shell's status for it."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Target, "plan", interrupted)
    assert main(["plan", own]) == 130
    assert capsys.readouterr().err.split() == ["hetero:", "interrupted"]


def test_progress_is_silent_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    """A bar that is redrawn would be noise in a file or pipe."""
    with progress_bar("measuring") as progress:
        steps = progress(2)
        steps.advance("first")
        steps.advance("second")
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    """A person watches."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["plan"], ["loading", "mine.py", "planning"]),
        (["run"], ["loading", "mine.py", "planning", "loading the engines"]),
    ],
)
def test_whoever_watches_sees_what_goes_on(
    command: list[str], told: list[str], own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first import to the first result; and it is on standard error alone."""
    seen, out = Terminal(), io.StringIO()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "stderr", seen)
    monkeypatch.setattr(sys, "stdout", out)
    assert main([*command, own]) == 0
    for text in told:
        assert text in seen.getvalue(), text
    assert "loading" not in out.getvalue()


def test_schedule_solves_a_file(problem: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The summary says how good the schedule is; the file has it task by task."""
    out = tmp_path / "schedule.json"
    assert main(["schedule", str(problem), "--budget", "2", "--out", str(out)]) == 0
    assert "proven optimal" in capsys.readouterr().out
    schedule = json.loads(out.read_text())
    assert schedule["makespan_s"] == 1.0
    assert [task["option"] for task in schedule["tasks"]] == [1, 0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "as JSON"),
        ("{}", "processors"),
        (json.dumps({**PROBLEM, "edges": [{"from": "a", "to": "b"}, {"from": "b", "to": "a"}]}), "cycl"),
        (json.dumps(PROBLEM).replace("3.0", "NaN"), "seconds"),
        (json.dumps({**PROBLEM, "limits": {"latency": 1}}), "did you mean 'latency_s'?"),
    ],
)
def test_a_malformed_problem_is_refused(
    content: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not JSON, fields that are missing, a cycle, a duration that is no number: status 2 and one line."""
    file = tmp_path / "problem.json"
    file.write_text(content)
    assert expected in refused(["schedule", str(file)], capsys)


def test_a_limit_that_cannot_be_kept_is_named(problem: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no schedule satisfies a limit, the message says which and by how much."""
    assert "limit" in refused(["schedule", str(problem), "--limit", "seconds=0.5"], capsys)


def test_steps_and_seed_make_a_run_repeatable(problem: Path, tmp_path: Path) -> None:
    """The same steps and seed give the same file, byte for byte."""
    written = []
    for name in ("first.json", "second.json"):
        arguments = ["schedule", str(problem), "--steps", "100", "--seed", "3", "--out", str(tmp_path / name)]
        assert main(arguments) == 0
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]


def test_report_writes_a_page_of_a_pipeline_and_of_a_saved_plan(own: str, tmp_path: Path) -> None:
    """Both ways end with a page that names the nodes."""
    saved, page = tmp_path / "saved.plan.json", tmp_path / "page.html"
    assert main(["report", own, "-o", str(page)]) == 0
    assert "double" in page.read_text()
    assert main(["plan", own, "--save", str(saved)]) == 0
    assert main(["report", str(saved), "--pipeline", own, "-o", str(page)]) == 0
    assert "double" in page.read_text()
    assert "Measured: " in page.read_text()


def test_report_takes_an_input(own: str, tmp_path: Path) -> None:
    """As the other commands do, so that a file of one's own needs no sample()."""
    page, given = tmp_path / "page.html", tmp_path / "x.json"
    given.write_text("[5]")
    file = tmp_path / "mine.py"
    file.write_text(PIPELINE.replace("def sample", "def other"))
    assert main(["report", own, str(given), "-o", str(page), "--users", "1", "--load-seconds", "0.1"]) == 0
    assert "Measured: " in page.read_text()
