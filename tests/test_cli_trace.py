"""``hetero run --trace``: what ran when, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hetero.cli import main

PIPELINE = """
import hetero as ht

@ht.node
def invert(x):
    return 1 / x

@ht.node
def double(x):
    return 2 * x

@ht.pipeline
def inverse(x):
    return double(invert(x))

def sample():
    return (2,)
"""


@pytest.fixture
def own(tmp_path: Path) -> str:
    """``FILE.py:PIPELINE`` of a file in a folder of its own."""
    file = tmp_path / "mine.py"
    file.write_text(PIPELINE)
    return f"{file}:inverse"


def spans(file: Path) -> list[dict[str, Any]]:
    return [event for event in json.loads(file.read_text())["traceEvents"] if event["ph"] == "X"]


def test_each_node_is_a_span_on_the_line_of_its_processor(own: str, tmp_path: Path) -> None:
    """The viewers' format names the line."""
    trace = tmp_path / "trace.json"
    assert main(["run", own, "--trace", str(trace)]) == 0
    assert [span["name"] for span in spans(trace)] == ["invert", "double"]
    (line,) = {(span["pid"], span["tid"]) for span in spans(trace)}
    events = json.loads(trace.read_text())["traceEvents"]
    named = [e["args"]["name"] for e in events if e["name"] == "thread_name" and (e["pid"], e["tid"]) == line]
    assert named == ["cpu"]


def test_a_run_into_a_file_of_results_is_traced(own: str, tmp_path: Path) -> None:
    """What there is left to do of it: run again, nothing runs and the trace stays."""
    trace, results, one = tmp_path / "trace.json", tmp_path / "results.jsonl", tmp_path / "2.json"
    one.write_text("2")
    argv = ["run", own, str(one), "--results", str(results), "--trace", str(trace)]
    assert main(argv) == 0
    assert [span["name"] for span in spans(trace)] == ["invert", "double"]
    written = trace.read_bytes()
    assert main(argv) == 0
    assert trace.read_bytes() == written


def test_a_run_that_fails_leaves_its_trace(own: str, tmp_path: Path) -> None:
    """An input on which a node raises makes the status 1; what ran is there."""
    trace, inputs = tmp_path / "trace.json", tmp_path / "in"
    inputs.mkdir()
    (inputs / "1.json").write_text("1")
    (inputs / "2.json").write_text("0")
    argv = ["run", own, str(inputs), "--results", str(tmp_path / "results.jsonl"), "--trace", str(trace)]
    assert main(argv) == 1
    assert [span["name"] for span in spans(trace)][:2] == ["invert", "double"]


def test_where_a_trace_cannot_be_written_nothing_runs(
    own: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said before the work, naming the folder that is missing."""
    assert main(["run", own, "--trace", str(tmp_path / "no" / "trace.json")]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert f"there is no folder {tmp_path / 'no'}" in err
