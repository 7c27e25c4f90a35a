"""Results as they come, and what a run that was cut short leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from hetero.errors import ArgumentError
from hetero.run.journal import Journal, plain, read_results


class Line(NamedTuple):
    text: str
    box: tuple[float, ...]


def test_what_was_filed_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    """Results are done, an input that failed is not, and each input is read back once: its latest line."""
    path = tmp_path / "results.jsonl"
    with Journal(path, "p") as journal:
        journal.add(("a", "1"), np.arange(3))
        journal.add_error(("b", "2"), ValueError("no picture"))
    with Journal(path, "p") as journal:
        assert journal.done == {("a", "1")}
        journal.add(("b", "2"), "read")
    assert [(e["input"], e["result"]) for e in read_results(path)] == [("a", [0, 1, 2]), ("b", "read")]


@pytest.mark.parametrize("kept", range(1, 60, 7))
def test_a_torn_last_line_is_cut_off(tmp_path: Path, kept: int) -> None:
    """Wherever a killed process was inside of its last line, its input is to be run again and the file is whole."""
    path = tmp_path / "results.jsonl"
    with Journal(path, "p") as journal:
        journal.add(("a", "1"), 1)
    whole = path.read_bytes()
    line = json.dumps({"input": "b", "digest": "2", "result": "x" * 60}).encode()
    path.write_bytes(whole + line[:kept])
    with Journal(path, "p") as journal:
        assert journal.done == {("a", "1")}
        journal.add(("b", "2"), 2)
    assert [e["result"] for e in read_results(path)] == [1, 2]


def test_a_file_torn_in_its_head_is_begun_again(tmp_path: Path) -> None:
    """A process that was killed while it wrote the first line has left nothing of value."""
    path = tmp_path / "results.jsonl"
    Journal(path, "p").close()
    path.write_bytes(path.read_bytes()[:20])
    with Journal(path, "p") as journal:
        assert not journal.done


def _other_pipeline(path: Path) -> None:
    Journal(path, "q").close()


def _other_file(path: Path) -> None:
    path.write_text("name,price\n")


def _no_newline(path: Path) -> None:
    path.write_text("precious notes")


def _broken_line(path: Path) -> None:
    Journal(path, "p").close()
    path.write_bytes(path.read_bytes() + b"{broken\n")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_other_pipeline, "another pipeline"),
        (_other_file, "line 1: not JSON"),
        (_no_newline, "not a file of results"),
        (_broken_line, "line 2: not JSON"),
    ],
)
def test_a_file_of_something_else_is_refused_and_left_alone(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    """The error says what is in the way, and not a byte of the file changes."""
    path = tmp_path / "results.jsonl"
    make(path)
    before = path.read_bytes()
    with pytest.raises(ArgumentError, match=message):
        Journal(path, "p")
    assert path.read_bytes() == before


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    """The second is refused while the first is open, and may go on after its end."""
    path = tmp_path / "results.jsonl"
    with Journal(path, "p"), pytest.raises(ArgumentError, match="another run"):
        Journal(path, "p")
    Journal(path, "p").close()


def test_named_tuples_are_objects_and_what_json_has_not_is_refused() -> None:
    """Fields keep their names; an object of another class names its type."""
    assert plain([Line("a", (1.0, np.float32(2.0)))]) == [{"text": "a", "box": [1.0, 2.0]}]
    with pytest.raises(ArgumentError, match="holds a object"):
        plain({"a": object()})
