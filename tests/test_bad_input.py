"""What goes wrong in practice: each time a clear error, nothing lost, and the rest goes on."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import affine

import hetero as ht
from hetero.cost.estimate import Estimate
from hetero.cost.store import ProfileStore
from hetero.errors import GraphError, ModelError, NodeError, ProblemError, UnknownNameError
from hetero.machine import Machine, Processor
from hetero.schedule.problem import Option, Problem, Task
from hetero.schedule.problem import Processor as Capacity

X = np.ones((2, 4), np.float32)


@ht.node
def double(x: Any) -> Any:
    return 2 * x


@ht.node
def invert(x: Any) -> Any:
    return 1 / x


def test_an_unknown_device_lists_those_that_exist() -> None:
    """With the nearest name."""
    with pytest.raises(UnknownNameError, match=r"did you mean 'cpu/torch'.*cpu/onnxruntime"):
        ht.plan(double, 1, allow="cpu/torhc")


@pytest.mark.parametrize("content", [b"", b"\x00" * 50, b"not a model", b"PK\x03\x04"])
def test_a_corrupt_model_is_refused_when_it_is_read(content: bytes, tmp_path: Path) -> None:
    """From bytes and from a file, which is named."""
    (tmp_path / "detect.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"detect\.onnx"):
        ht.from_onnx(tmp_path / "detect.onnx")
    with pytest.raises(ModelError):
        ht.from_onnx(content)
    with pytest.raises(ModelError, match="cannot be read"):
        ht.from_onnx(tmp_path / "missing.onnx")


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    """A download that was cut off never becomes a node that computes something else."""
    whole = affine().op.contents()["model.onnx"] if hasattr(affine().op, "contents") else b""  # type: ignore[attr-defined]
    for length in range(1, len(whole), max(1, len(whole) // 25)):
        try:
            node = ht.from_onnx(whole[:length], name="cut")
            ht.plan(node, X, allow="reference").close()
        except ht.HeteroError:
            continue
        pytest.fail(f"{length} of {len(whole)} bytes were taken for a whole model")


def test_an_empty_and_a_cyclic_graph_are_refused() -> None:
    """A pipeline that calls no node, and a networkx graph with a cycle."""
    with pytest.raises(GraphError, match="is empty"):
        ht.plan(ht.pipeline(lambda x: x), 1)
    drawn = ht.pipeline(lambda x: double(double(x))).trace().to_networkx()
    drawn.add_edge("double#2", "double")
    with pytest.raises(GraphError, match="is cyclic"):
        ht.Graph.from_networkx(drawn)


def test_a_node_that_raises_is_named_with_the_users_own_traceback() -> None:
    """The user's line is in the traceback, the error is the cause, and the plan goes on working."""
    pipeline = ht.pipeline(lambda x: double(invert(x)))
    with ht.plan(pipeline, 4.0) as plan:
        with pytest.raises(NodeError, match="node 'invert' failed: ZeroDivisionError") as failed:
            plan(0)
        assert failed.value.node == "invert"
        assert isinstance(failed.value.__cause__, ZeroDivisionError)
        text = "".join(traceback.format_exception(failed.value))
        assert "return 1 / x" in text
        assert "test_bad_input.py" in text
        assert plan(4.0) == 0.5


def test_other_requests_are_unharmed_by_one_that_fails() -> None:
    """Of many requests in flight only the bad ones raise."""
    pipeline = ht.pipeline(lambda x: double(invert(x)))
    with ht.plan(pipeline, 4.0) as plan:
        futures = {x: plan.submit(x) for x in (4.0, 0, 2.0, 0.0, 1.0)}
        for x, future in futures.items():
            if x:
                assert future.result(timeout=30) == 2 / x
            else:
                with pytest.raises(NodeError):
                    future.result(timeout=30)


def test_a_nan_in_a_cost_is_refused_where_it_comes_in() -> None:
    """In a machine's price, in a problem's option: it is named, and never compared with."""
    with pytest.raises(ht.HeteroError, match="dollars_per_hour=nan"):
        Machine((Processor("cpu", dollars_per_hour=math.nan),))
    for field in ("seconds", "joules", "dollars", "error", "memory_bytes"):
        values: dict[str, Any] = {"seconds": 1.0, field: math.nan}
        with pytest.raises(ProblemError, match=field):
            Problem((Capacity("cpu"),), (Task("a", (Option("cpu", **values),)),))
    assert math.isnan(
        Estimate(math.nan).seconds
    )  # a value holds what it is given; the problem is what refuses it


def test_a_corrupted_store_is_rebuilt_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planning goes on, the broken file is set aside, and the new one serves the next plan."""
    monkeypatch.setenv("HETERO_CACHE", str(tmp_path))
    path = tmp_path / "profiles.sqlite"
    path.write_bytes(b"this is no database at all" * 100)
    with ht.plan(double, 1) as plan:
        assert plan(4) == 8
    assert list(tmp_path.glob("profiles.sqlite.corrupt-*"))
    with ProfileStore(path) as store:
        assert store.rows()


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.95])
def test_a_damaged_store_gives_the_same_plan(
    keep: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is cut off in the middle: what is lost is measured again."""
    monkeypatch.setenv("HETERO_CACHE", str(tmp_path))
    ht.plan(double, 1).close()
    path = tmp_path / "profiles.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)] + os.urandom(500))
    with ht.plan(double, 1) as plan:
        assert plan(4) == 8


def test_a_locked_store_does_not_stop_planning(tmp_path: Path) -> None:
    """Waited for, then gone on without; what was measured is written once the lock is gone."""
    path = tmp_path / "profiles.sqlite"
    ProfileStore(path).close()
    with ProfileStore(path) as first:
        first.put_record("kind", "key", {})
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    store = ProfileStore(path, patience_s=0.0)
    with ht.plan(double, 1, store=store) as plan:
        assert plan(4) == 8
    blocker.execute("ROLLBACK")
    blocker.close()
    store.close()
    with ProfileStore(path) as after:
        assert any(row.about.op == "double" for row in after.rows())


def test_a_cache_folder_that_cannot_be_written_does_not_stop_planning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the store cannot be kept it is held in memory."""
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "profiles.sqlite").mkdir()  # no file can be written here, whoever the user is
    monkeypatch.setenv("HETERO_CACHE", str(folder))
    with ht.plan(double, 1) as plan:
        assert plan(4) == 8


SLOW = """
import sys, time
import hetero as ht

@ht.node
def slow(x):
    print("running", flush=True)
    time.sleep(0.05)
    return x

@ht.node
def quick(x):
    return x

ht.plan(ht.pipeline(lambda x: slow(quick(x))), 1)
print("planned", flush=True)
"""


@pytest.mark.parametrize("runs", [1, 3])
def test_ctrl_c_while_profiling_leaves_the_store_whole(runs: int, tmp_path: Path) -> None:
    """The process ends at once with KeyboardInterrupt, and the next plan reads the store as it is."""
    environment = {**os.environ, "HETERO_CACHE": str(tmp_path)}
    running = subprocess.Popen(
        [sys.executable, "-c", SLOW],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert running.stdout is not None
    for _ in range(runs):
        assert running.stdout.readline() == "running\n"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert "planned" not in out
    assert "KeyboardInterrupt" in err
    assert running.returncode in (-signal.SIGINT, 1, 130)
    assert not list(tmp_path.glob("*.corrupt*"))
    if (tmp_path / "profiles.sqlite").exists():
        with sqlite3.connect(tmp_path / "profiles.sqlite") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
    with ProfileStore(tmp_path / "profiles.sqlite") as store:
        store.rows()


def test_ctrl_c_while_a_plan_runs_leaves_the_plan_usable() -> None:
    """The interrupted request is given up; the next one runs."""
    script = """
import os, signal, threading, time
import hetero as ht

@ht.node
def wait(x):
    if x:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        time.sleep(20)
    return x

with ht.plan(wait, 0) as plan:
    try:
        plan(1)
    except KeyboardInterrupt:
        print("interrupted", plan(0))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "interrupted 0\n", done.stderr
