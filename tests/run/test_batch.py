"""A folder through a plan: every input once, whatever happens on the way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hetero.cli import main
from hetero.errors import ArgumentError
from hetero.run.batch import files_in
from hetero.run.journal import read_results

PIPELINE = """
import time
from pathlib import Path
import hetero as ht

@ht.node
def count(text):
    if "!" in text:
        raise ValueError("no exclamations")
    time.sleep(0.01)
    return {"words": len(text.split())}

@ht.pipeline
def words(text):
    return count(text)

def inputs(path):
    return [(Path(path).read_text("utf-8"),)]
"""
PAGES = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pages of 1, 2, 3, ... words, and the file of a pipeline that counts them."""
    (tmp_path / "mine.py").write_text(PIPELINE)
    pages = tmp_path / "pages"
    pages.mkdir()
    for i in range(1, PAGES + 1):
        (pages / f"{i:03}.txt").write_text("word " * i)
    return tmp_path


def command(folder: Path, *more: str) -> list[str]:
    results = str(folder / "results.jsonl")
    return [
        "run",
        f"{folder / 'mine.py'}:words",
        str(folder / "pages"),
        "--results",
        results,
        "--budget",
        "1",
        *more,
    ]


def lines(folder: Path) -> Iterator[dict[str, object]]:
    """The whole lines of the file, each as it is, without its head."""
    data = (folder / "results.jsonl").read_bytes() if (folder / "results.jsonl").exists() else b""
    yield from map(json.loads, data[: data.rfind(b"\n") + 1].splitlines()[1:])


def expected(numbers: range) -> dict[str, object]:
    return {f"{i:03}.txt": {"words": i} for i in numbers}


def test_a_run_that_was_killed_half_way_does_only_the_rest(folder: Path) -> None:
    """After SIGKILL and a second run every page has one line, and those of the first run are as they were."""
    with subprocess.Popen(
        [sys.executable, "-m", "hetero", *command(folder)], stderr=subprocess.PIPE
    ) as started:
        try:
            while len(list(lines(folder))) < 10:
                assert started.poll() is None, started.communicate()
                time.sleep(0.01)
        finally:
            started.kill()
    before = list(lines(folder))
    assert 10 <= len(before) < PAGES
    assert main(command(folder)) == 0
    after = list(lines(folder))
    assert after[: len(before)] == before
    assert len(after) == PAGES
    assert {line["input"]: line["result"] for line in after} == expected(range(1, PAGES + 1))


def test_a_page_that_fails_holds_up_no_other_and_is_tried_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line says why, the status is 1; a second run does that page only, and one that has changed."""
    (folder / "pages" / "002.txt").write_text("no!")
    (folder / "pages" / "003.txt").write_bytes(b"\xff\xfe\xfa")
    assert main(command(folder)) == 1
    assert "2 failed" in capsys.readouterr().err
    failed = {line["input"]: str(line["error"]) for line in lines(folder) if "error" in line}
    assert failed.keys() == {"002.txt", "003.txt"}
    assert "no exclamations" in failed["002.txt"]
    (folder / "pages" / "002.txt").write_text("word " * 2)
    (folder / "pages" / "003.txt").write_text("word " * 3)
    (folder / "pages" / "004.txt").write_text("word " * 40)
    ended = len(list(lines(folder)))
    assert main(command(folder)) == 0
    assert {line["input"] for line in list(lines(folder))[ended:]} == {"002.txt", "003.txt", "004.txt"}
    found = {entry["input"]: entry["result"] for entry in read_results(folder / "results.jsonl")}
    assert found == {**expected(range(1, PAGES + 1)), "004.txt": {"words": 40}}
    assert main(command(folder)) == 0
    assert f"{PAGES} of {PAGES} ({PAGES} from before)" in capsys.readouterr().err


def test_only_files_that_match_are_taken(folder: Path) -> None:
    """By name, hidden files never; nothing that matches is an error that names the pattern."""
    assert main(command(folder, "--match", "00*.txt")) == 0
    assert {line["input"] for line in lines(folder)} == expected(range(1, 10)).keys()
    (folder / "pages" / ".hidden.txt").write_text("")
    assert len(files_in(folder / "pages", lambda path: [path])) == PAGES
    with pytest.raises(ArgumentError, match=r"'\*\.png'"):
        files_in(folder / "pages", lambda path: [path], "*.png")


def test_of_a_folder_only_what_the_pipeline_knows_is_taken(folder: Path) -> None:
    """By how the names end, unless a pattern says otherwise; a file named itself is taken whatever its name."""
    pages = folder / "pages"
    (pages / "SCAN.PNG").write_bytes(b"")
    (pages / "notes").write_text("for a person")

    def taken(path: Path, match: str | None = None) -> list[str]:
        return [item.key[0] for item in files_in(path, lambda path: [path], match, (".png", ".jpg"))]

    assert taken(pages) == ["SCAN.PNG"]
    assert taken(pages, "not*") == taken(pages / "notes") == ["notes"]
    (pages / "SCAN.PNG").unlink()
    with pytest.raises(ArgumentError, match=r"\.png, \.jpg"):
        taken(pages)
