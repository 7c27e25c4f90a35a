"""Plans as files: what comes back, what is refused and how, and what a failed save leaves."""

from __future__ import annotations

import copy
import errno
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import affine

import hetero as ht
from hetero.errors import PlanMismatchError
from hetero.plans import Plan

X = np.arange(8, dtype=np.float32).reshape(2, 4)
MODEL = affine()
ran: list[int] = []


@ht.node
def double(x: Any) -> Any:
    ran.append(1)
    return 2 * x


@ht.pipeline
def pipeline(x: Any, xs: Any) -> Any:
    return MODEL(double(x)), ht.map(lambda i: ht.branch(i, lambda: double(i), lambda: i), xs)


@pytest.fixture(scope="module")
def plan() -> Iterator[Plan]:
    with ht.plan(pipeline, X, [0, 1], allow="onnxruntime", objective="latency") as made:
        yield made


@pytest.fixture
def saved(plan: Plan, tmp_path: Path) -> Path:
    path = tmp_path / "ocr.plan.json"
    plan.save(path)
    return path


def edited(path: Path, edit: Any) -> Path:
    data = json.loads(path.read_text())
    edit(data)
    path.write_text(json.dumps(data))
    return path


def test_a_plan_comes_back_as_it_was(plan: Plan, saved: Path) -> None:
    """Choices, schedule, estimates, notes and explanation; running it needs no measuring and gives the same."""
    before = len(ran)
    with ht.load_plan(saved, pipeline) as back:
        assert len(ran) == before
        assert back.placement == plan.placement
        assert back.schedule == plan.schedule
        assert back.problem == plan.problem
        assert back.estimate == plan.estimate
        assert back.machine == plan.machine
        assert back.request == plan.request
        assert back.notes == plan.notes
        assert back.explain() == plan.explain()
        y, items = back(X, [0, 3])
        assert np.array_equal(y, plan(X, [0, 3])[0])
        assert items == [0, 6]


def test_a_loaded_plan_saves_as_the_same_file(saved: Path, tmp_path: Path) -> None:
    """Reading and writing lose nothing."""
    with ht.load_plan(saved, pipeline.trace()) as back:
        back.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == saved.read_bytes()


def test_a_folder_that_is_not_there_is_named_as_it_was_given(plan: Plan, tmp_path: Path) -> None:
    """Not the temporary file that would have been in it."""
    with pytest.raises(FileNotFoundError) as caught:
        plan.save(tmp_path / "nowhere" / "p.json")
    assert caught.value.filename == str(tmp_path / "nowhere" / "p.json")


def test_a_plan_has_no_code_and_no_samples_in_it(saved: Path) -> None:
    """It is JSON that a person can read; neither values nor functions are in it."""
    data = json.loads(saved.read_text())
    assert data["format"] == "hetero plan"
    assert data["choices"]["affine"][0] == "cpu/onnxruntime"


def test_another_pipeline_is_refused_with_the_nodes_that_changed(saved: Path) -> None:
    """Nodes gone, new nodes, changed content, and the same nodes joined differently are told apart."""

    @ht.node(name="double")
    def other(x: Any) -> Any:
        return 3 * x

    def inner(f: Any) -> Any:
        return lambda i: ht.branch(i, lambda: f(i), lambda: i)

    changed = ht.pipeline(lambda x, xs: (MODEL(other(x)), ht.map(inner(other), xs)))
    with pytest.raises(PlanMismatchError, match="content changed: double, map#1"):
        ht.load_plan(saved, changed)
    fewer = ht.pipeline(lambda x, xs: (double(x), ht.map(inner(double), xs)))
    with pytest.raises(PlanMismatchError, match="nodes gone: affine"):
        ht.load_plan(saved, fewer)
    more = ht.pipeline(lambda x, xs: (double(MODEL(double(x))), ht.map(inner(double), xs)))
    with pytest.raises(PlanMismatchError, match="new nodes: double#2"):
        ht.load_plan(saved, more)
    joined = ht.pipeline(lambda x, xs: (double(MODEL(x)), ht.map(inner(double), xs)))
    with pytest.raises(PlanMismatchError, match="joined differently"):
        ht.load_plan(saved, joined)
    with pytest.raises(PlanMismatchError, match=r"plan again with ht\.plan"):
        ht.load_plan(saved, double)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda d: d["machine"]["processors"][0].update(model="Other CPU"), "cpu.model: 'Other CPU' -> "),
        (lambda d: d["machine"]["processors"][0].update(cores=999), "cpu.cores: 999 -> "),
        (lambda d: d["machine"]["processors"][0].update(features=["avx9"]), "cpu.features"),
        (lambda d: version(d, "cpu/onnxruntime", "0.0.1"), "device cpu/onnxruntime: version 0.0.1 -> "),
    ],
)
def test_another_machine_is_refused_with_the_difference(saved: Path, edit: Any, says: str) -> None:
    """What differs is named; `replan=True` solves the same request for the machine that is here."""
    edited(saved, edit)
    with pytest.raises(PlanMismatchError, match="made on another machine") as refused:
        ht.load_plan(saved, pipeline)
    assert says in str(refused.value)
    assert "replan=True" in str(refused.value)
    before = len(ran)
    with ht.load_plan(saved, pipeline, replan=True) as back:
        assert len(ran) == before
        assert back.request.selection.allow == ("onnxruntime",)
        assert back.placement["affine"][0] == "cpu/onnxruntime"
        assert back(X, [1])[1] == [2]


def version(data: dict[str, Any], device: str, text: str) -> None:
    for entry in data["machine"]["devices"]:
        if entry["name"] == device:
            entry["version"] = text


def test_a_device_that_the_plan_does_not_use_does_not_matter(saved: Path) -> None:
    """Another version of an engine that was not chosen leaves the plan good."""

    def add(data: dict[str, Any]) -> None:
        extra = dict(data["machine"]["devices"][0], name="cpu/unused", engine="unused")
        data["machine"]["devices"].append(extra)

    with ht.load_plan(edited(saved, add), pipeline) as back:
        assert back(X, [])[1] == []


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "3", '"text"', '{"format": "hetero graph"}', "\x00\x01", "[" * 100_000]
)
def test_a_file_of_another_kind_is_refused(content: str, tmp_path: Path) -> None:
    """Whatever the file is, it is one kind of error that names the file."""
    path = tmp_path / "some.json"
    path.write_text(content)
    with pytest.raises(PlanMismatchError, match=r"some\.json"):
        ht.load_plan(path, pipeline)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A folder, or not text; one that is not there is told apart, as Python does."""
    with pytest.raises(FileNotFoundError, match=r"there is no plan file .*missing\.json") as missing:
        ht.load_plan(tmp_path / "missing.json", pipeline)
    assert isinstance(missing.value, ht.HeteroError)
    with pytest.raises(PlanMismatchError, match="cannot read"):
        ht.load_plan(tmp_path, pipeline)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(PlanMismatchError, match="is not a plan file"):
        ht.load_plan(tmp_path / "binary.json", pipeline)


def test_a_plan_of_a_later_version_is_refused(saved: Path) -> None:
    """Both versions are named."""
    edited(saved, lambda data: data.update(version=99))
    with pytest.raises(PlanMismatchError, match="has version 99; this hetero reads version 1"):
        ht.load_plan(saved, pipeline)


def test_a_truncated_file_is_refused(saved: Path) -> None:
    """At any length."""
    whole = saved.read_bytes()
    for length in range(0, len(whole) - 1, max(1, len(whole) // 60)):
        saved.write_bytes(whole[:length])
        with pytest.raises(PlanMismatchError):
            ht.load_plan(saved, pipeline)


HOSTILE: list[Any] = [
    None,
    -1,
    0,
    1e308,
    10**400,
    float("nan"),
    float("inf"),
    "x",
    "",
    True,
    [],
    {},
    [[]],
    {"a": 1},
]
DELETE = object()


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON tree."""
    if path:
        yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def test_no_damage_gets_through_as_anything_else(saved: Path) -> None:
    """Any value anywhere in the file replaced or taken away: an error of hetero's, or no harm and the right answer."""
    original = json.loads(saved.read_text())
    everywhere = list(places(original))
    picks = random.Random(1)
    chosen = [(place, value) for place in everywhere for value in picks.sample([*HOSTILE, DELETE], 1)]
    for place, value in picks.sample(chosen, min(400, len(chosen))):
        data = copy.deepcopy(original)
        inner = data
        for key in place[:-1]:
            inner = inner[key]
        if value is DELETE:
            del inner[place[-1]]
        else:
            inner[place[-1]] = value
        saved.write_text(json.dumps(data))
        try:
            back = ht.load_plan(saved, pipeline)
        except PlanMismatchError:
            continue
        with back:
            back.explain()
            try:
                assert back(X, [0, 1])[1] == [0, 2], (place, value)
            except ht.HeteroError:  # an engine's setting that it does not take: said by the engine's device
                continue


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d["choices"].update(affine=["cpu/python", d["choices"]["affine"][1]]),
        lambda d: d["choices"].update(affine=["control", d["choices"]["affine"][1]]),
        lambda d: d["choices"].update(affine=["cpu/nowhere", d["choices"]["affine"][1]]),
        lambda d: d["choices"].update({"map#1": d["choices"]["affine"]}),
        lambda d: d["choices"].pop("map#1/branch#1/then/double"),
        lambda d: d["choices"]["affine"][1].update(threads=-4),
        lambda d: d["choices"]["affine"][1].update(precision="fp1"),
        lambda d: d["schedule"]["tasks"].pop(),
        lambda d: d["schedule"].update(makespan_s=0.0),
        lambda d: d["schedule"].update(lower_bound=1e9),
        lambda d: d["problem"]["tasks"].pop(),
        lambda d: d["request"].update(objective="speed"),
        lambda d: d["request"].update(limits={"latency_s": -1}),
        lambda d: d["estimate"].update(seconds="soon"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(saved: Path, edit: Any) -> None:
    """A device that cannot run a node, a node without a choice, a schedule that is none: damaged."""
    edited(saved, edit)
    with pytest.raises(PlanMismatchError):
        ht.load_plan(saved, pipeline)


def leave_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)


def test_a_full_disk_keeps_the_old_file(plan: Plan, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The save fails, the plan that was saved before is whole, and nothing is left beside it."""
    before = saved.read_bytes()
    leave_no_room(monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        plan.save(saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_disk_that_is_really_full_keeps_the_old_file(plan: Plan, saved: Path) -> None:
    """On a file system of one page, where one can be mounted."""
    folder = saved.parent / "small"
    folder.mkdir()
    script = f"""
mount -t tmpfs -o size=8k tmpfs {folder} || exit 77
echo old > {folder}/plan.json
python={sys.executable}
$python - <<'EOF'
from hetero.files import write_atomically
try:
    write_atomically("{folder}/plan.json", b"x" * 100_000)
except OSError as error:
    print(error.errno)
EOF
cat {folder}/plan.json; ls -A {folder}
"""
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no file system can be mounted here")
    assert done.stdout.split() == [str(errno.ENOSPC), "old", "plan.json"], done.stderr


def test_a_folder_that_is_not_there_is_the_systems_own_error(plan: Plan, tmp_path: Path) -> None:
    """Saving into nowhere names the path."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        plan.save(tmp_path / "nowhere" / "p.json")


def test_two_saves_at_once_leave_one_whole_file(plan: Plan, saved: Path) -> None:
    """Whoever comes last wins; nobody sees half of each."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: plan.save(saved), range(16)))
    ht.load_plan(saved, pipeline).close()
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
