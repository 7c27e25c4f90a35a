"""Files from elsewhere: whatever is in them, they are read as what they say, or refused by an error of hetero's.

Hypothesis damages sound files in two ways: some bytes, or some places of the JSON inside. None of it may run code, end
in an error of another library, or need memory out of all proportion to the file. ``HETERO_FUZZ`` is how many examples
each test has; the default is for CI.
"""

from __future__ import annotations

import ast
import copy
import io
import json
import os
import sqlite3
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hetero as ht
from hetero.cost.store import Measurement, ProfileKey, ProfileStore
from hetero.errors import GraphError, HeteroError, PlanMismatchError
from hetero.graph import Graph
from hetero.machine import Machine
from hetero.plan_files import LARGEST_NBYTES
from hetero.schedule.problem import Problem

MEMORY_NBYTES = 64 << 20
"""What reading a file of some kilobytes may need at most."""

fuzzed = settings(
    max_examples=int(os.environ.get("HETERO_FUZZ", "40")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)

hostile = st.one_of(
    st.sampled_from(
        [None, True, -1, 0, 10**30, -(10**30), 1e308, float("nan"), float("inf"), "", "x", "../x", "$"]
    ),
    st.sampled_from([[], {}, [[]], {"a": 1}, [None] * 50, "\x00", "__import__('os')", "cpu", "host", "ref"]),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
)


@ht.node
def double(x: Any) -> Any:
    return 2 * x


@ht.node
def add(x: Any, y: Any) -> Any:
    return x + y


@ht.pipeline
def pipeline(x: Any, xs: Any) -> Any:
    return add(double(x), np.ones(2)), ht.map(lambda i: ht.branch(i, lambda: double(i), lambda: i), xs)


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON tree."""
    if path:
        yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def with_damage(draw: st.DrawFn, sound: Any) -> Any:
    """The same JSON with one to three places replaced, doubled or taken away."""
    data = copy.deepcopy(sound)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(places(data)) or [()]))  # type: ignore[list-item]
        inner = data
        for key in way:
            inner = inner[key]
        how = draw(st.sampled_from(["replace", "replace", "delete", "double"]))
        if how == "replace":
            inner[last] = copy.deepcopy(draw(hostile))  # the lists among them are the strategy's own
        elif how == "delete":
            del inner[last]
        elif isinstance(inner, list):
            inner.append(copy.deepcopy(inner[last]))
        else:
            inner[f"{last}2"] = copy.deepcopy(inner[last])
        if not list(places(data)):
            break
    return data


def damaged_json(sound: bytes) -> st.SearchStrategy[bytes]:
    data = json.loads(sound)

    @st.composite
    def build(draw: st.DrawFn) -> bytes:
        return json.dumps(with_damage(draw, data)).encode()

    return st.one_of(build(), damaged_bytes(sound))


def damaged_bytes(sound: bytes) -> st.SearchStrategy[bytes]:
    """Some bytes written over, cut out or put in."""

    @st.composite
    def build(draw: st.DrawFn) -> bytes:
        data = bytearray(sound)
        for _ in range(draw(st.integers(1, 4))):
            at = draw(st.integers(0, max(len(data) - 1, 0)))
            new = draw(st.binary(max_size=16))
            removed = draw(st.sampled_from([len(new), 0, 100, len(data)]))
            data[at : at + removed] = new
        return bytes(data)

    return build()


@contextmanager
def in_proportion() -> Iterator[None]:
    """Reading needs no more memory than it may."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MEMORY_NBYTES
    finally:
        tracemalloc.stop()


def read_or_refused(read: Callable[[Path], object], path: Path, content: bytes) -> object:
    """What was read; None where it was refused as it should be."""
    path.write_bytes(content)
    with in_proportion():
        try:
            return read(path)
        except HeteroError:
            return None


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("plans") / "sound.json"
    with ht.plan(pipeline, np.arange(2.0), [0, 1], allow="python", budget_s=1) as plan:
        plan.save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def machine_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("machines") / "sound.json"
    Machine.detect().save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def graph_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("graphs") / "sound.graph"
    pipeline.trace().save(path)
    return path.read_bytes()


PROBLEM = json.dumps(
    {
        "version": 1,
        "processors": [{"name": "cpu", "cores": 2, "memory_bytes": 1e9}, {"name": "gpu0"}],
        "links": [{"from": "cpu", "to": "gpu0", "latency_s": 1e-4, "bytes_per_s": 1e9}],
        "tasks": [
            {"name": "a", "options": [{"processor": "cpu", "seconds": 0.01, "cores": 2, "joules": 0.1}]},
            {
                "name": "b",
                "options": [{"processor": "gpu0", "seconds": 0.02, "resident": "w", "memory_bytes": 9}],
            },
        ],
        "edges": [{"from": "a", "to": "b", "bytes": 1000}],
        "limits": {"joules": 5.0},
    }
).encode()


@fuzzed
@given(data=st.data())
def test_plan_files(data: st.DataObject, plan_file: bytes, tmp_path: Path) -> None:
    """A plan that is read after all is complete, and can be explained."""
    content = data.draw(damaged_json(plan_file))
    plan = read_or_refused(lambda path: ht.load_plan(path, pipeline), tmp_path / "plan.json", content)
    if plan is not None:
        assert isinstance(plan, ht.Plan)
        assert plan.explain()


@fuzzed
@given(data=st.data())
def test_problem_files(data: st.DataObject, tmp_path: Path) -> None:
    """A problem that is read after all is one that can be written and read again."""
    content = data.draw(damaged_json(PROBLEM))
    problem = read_or_refused(Problem.load, tmp_path / "problem.json", content)
    if problem is not None:
        assert isinstance(problem, Problem)
        assert Problem.from_dict(problem.to_dict()) == problem


@fuzzed
@given(data=st.data())
def test_machine_files(data: st.DataObject, machine_file: bytes, tmp_path: Path) -> None:
    """So is a machine."""
    content = data.draw(damaged_json(machine_file))
    machine = read_or_refused(Machine.load, tmp_path / "machine.json", content)
    if machine is not None:
        assert isinstance(machine, Machine)
        assert Machine.from_dict(machine.to_dict()) == machine


def repacked(sound: bytes, name: str, content: bytes) -> bytes:
    """A zip file with one member replaced."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sound)) as old, zipfile.ZipFile(buffer, "w") as new:
        for member in old.namelist():
            new.writestr(member, content if member == name else old.read(member))
    return buffer.getvalue()


@fuzzed
@given(data=st.data())
def test_graph_files(data: st.DataObject, graph_file: bytes, tmp_path: Path) -> None:
    """A graph that is read after all is well-formed: its own rules are checked whenever one is made."""
    graph = pipeline.trace()
    with zipfile.ZipFile(io.BytesIO(graph_file)) as archive:
        name = data.draw(st.sampled_from(archive.namelist()))
        member = archive.read(name)
    damaged = damaged_json(member) if name.endswith(".json") else damaged_bytes(member)
    content = data.draw(
        st.one_of(damaged.map(lambda new: repacked(graph_file, name, new)), damaged_bytes(graph_file))
    )
    found = read_or_refused(lambda path: Graph.load(path, graph), tmp_path / "damaged.graph", content)
    assert found is None or isinstance(found, Graph)


KEY = ProfileKey("op", "device", "variant", "specs")
MEASUREMENT = Measurement(1.0, 0.1, 0.9, 1.1, 5, 2.0, 0.0, 100.0)


def store_file(path: Path) -> bytes:
    with ProfileStore(path) as store:
        store.put(KEY, MEASUREMENT)
        for i in range(20):
            store.put_record("link", str(i), {"latency_s": i / 1e4})
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


def use(path: Path) -> None:
    with ProfileStore(path, patience_s=0.1) as store:
        found, record = store.get(KEY), store.get_record("link", "3")
        assert found is None or isinstance(found, Measurement)
        assert record is None or isinstance(record, dict)
        store.put_record("link", "new", {"latency_s": 1.0})
        assert store.get_record("link", "new") == {"latency_s": 1.0}


@fuzzed
@given(data=st.data())
def test_the_profile_store(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever is left of the file, entries are sound or missing, and new ones can be put."""
    folder = tmp_path_factory.mktemp("store")
    sound = store_file(folder / "sound.sqlite")
    read_or_refused(use, folder / "damaged.sqlite", data.draw(damaged_bytes(sound)))


def test_a_name_in_the_store_that_is_no_text(tmp_path: Path) -> None:
    """SQLite repeats it in its message, which Python then cannot decode: found by the test above."""
    sound = store_file(tmp_path / "sound.sqlite")
    for name in (b"profile_v2", b"record_v1"):
        path = tmp_path / f"{name.decode()}.sqlite"
        path.write_bytes(sound.replace(name, b"\x80" + name[1:]))
        use(path)


@fuzzed
@given(column=st.sampled_from(["seconds", "low_s", "repetitions", "error", "measured_at"]), value=hostile)
def test_entries_of_the_profile_store(
    column: str, value: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An entry that a sound file has, and that cannot be, counts as missing; so does a record that is no object."""
    path = tmp_path_factory.mktemp("store") / "profiles.sqlite"
    store_file(path)
    plain = value if isinstance(value, str | float | bool | None) else json.dumps(value)
    with closing(sqlite3.connect(path)) as connection:
        try:
            connection.execute(f"UPDATE profile_v2 SET {column}=?", (plain,))
            connection.execute("UPDATE record_v1 SET value=?", (json.dumps(value),))
        except sqlite3.IntegrityError:  # the table itself refuses it
            return
        connection.commit()
    use(path)


def test_a_file_that_is_too_large_is_refused_unread(plan_file: bytes, tmp_path: Path) -> None:
    """Its size is looked at first: nobody's plan has so many bytes."""
    path = tmp_path / "large.json"
    path.write_bytes(plan_file)
    with path.open("r+b") as file:
        file.truncate(LARGEST_NBYTES + 1)  # a hole, which takes no room on the disk
    with in_proportion(), pytest.raises(PlanMismatchError, match="larger than"):
        ht.load_plan(path, pipeline)


def test_an_array_that_claims_to_be_huge_is_refused(graph_file: bytes, tmp_path: Path) -> None:
    """A header is a few bytes and may promise anything: what is not in the file is not made room for."""
    with zipfile.ZipFile(io.BytesIO(graph_file)) as archive:
        (name,) = (member for member in archive.namelist() if member.endswith(".npy"))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 45,)}
    )
    path = tmp_path / "huge.graph"
    path.write_bytes(repacked(graph_file, name, header.getvalue()))
    with in_proportion(), pytest.raises(GraphError):
        Graph.load(path, pipeline.trace())


def test_a_graph_that_unpacks_to_much_more_is_refused(graph_file: bytes, tmp_path: Path) -> None:
    """Nothing in a graph file is compressed, so a small one that becomes large was not written by hetero."""
    path = tmp_path / "bomb.graph"
    with (
        zipfile.ZipFile(io.BytesIO(graph_file)) as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.namelist():
            new.writestr(member, bytes(256 << 20) if member.endswith(".npy") else old.read(member))
    with in_proportion(), pytest.raises(GraphError):
        Graph.load(path, pipeline.trace())


READERS = (
    "plan_files",
    "graph_files",
    "machine",
    "schedule.problem",
    "schedule.parse",
    "cost.store",
    "cost.database",
)


def test_nothing_that_reads_files_can_unpickle() -> None:
    """What can run code is not even imported there; arrays are read without it."""
    root = Path(ht.__file__).parent
    for reader in READERS:
        tree = ast.parse((root / f"{reader.replace('.', '/')}.py").read_text("utf-8"))
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {"pickle", "cloudpickle", "marshal", "shelve"} & set(names), reader
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.load":
                assert "allow_pickle=False" in ast.unparse(node), reader
            assert not (isinstance(node, ast.Name) and node.id in ("eval", "exec")), reader
