"""Graphs as files: what comes back, what is refused, and what a failed save leaves."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import hetero as ht
from hetero.errors import GraphError
from hetero.graph import Const, Graph, Input, Node, Ref
from hetero.ops.function import FunctionOp


def onnx_double() -> bytes:
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n"]) for n in ("x", "y")]
    made = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "double", [value[0]], [value[1]])
    return bytes(
        helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
    )


TABLE = np.arange(3)


@ht.node
def scale(x: Any, by: Any = 2) -> Any:
    return x * by


def pipeline() -> Graph:
    model = ht.from_onnx(onnx_double(), name="model")

    @ht.pipeline
    def everything(xs: Any, test: Any = True, table: Any = TABLE) -> Any:
        rows = ht.map(lambda x: scale(model(x), [1.5, {"a": (None, "text")}][0]), xs)
        return {
            "rows": rows,
            "side": ht.branch(test, lambda: (scale(xs), xs), lambda: (xs, 3)),
            "table": table,
        }

    return everything.trace()


def write(path: Path, made: Graph, edit: Any) -> None:
    """Save a graph, with its JSON edited."""
    made.save(path)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    data = json.loads(content["graph.json"])
    content["graph.json"] = json.dumps(edit(data) or data).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, blob in content.items():
            archive.writestr(name, blob)


def test_a_graph_comes_back_with_its_code(tmp_path: Path) -> None:
    """Maps, branches, models, defaults, constants and lines: the same hash, table and result."""
    made = pipeline()
    made.save(tmp_path / "g.hetero")
    back = Graph.load(tmp_path / "g.hetero", made)
    assert back.digest == made.digest
    assert str(back) == str(made)
    xs = [np.ones(2, np.float32)]
    assert back.run(xs)["rows"][0].tolist() == made.run(xs)["rows"][0].tolist() == [3.0, 3.0]


def test_functions_are_taken_from_a_graph_or_from_ops(tmp_path: Path) -> None:
    """Models are in the file, code is not: without it, or with other code, the message names the function."""
    made = pipeline()
    made.save(tmp_path / "g.hetero")
    assert Graph.load(tmp_path / "g.hetero", [scale.op]).digest == made.digest
    for code in ((), [FunctionOp(lambda x, by=2: x + by, name="scale")]):
        with pytest.raises(GraphError, match=r"function 'scale'.*code="):
            Graph.load(tmp_path / "g.hetero", code)


constants = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(constants)
def test_constants_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    """Plain values and containers of them keep their types, infinities and keys."""
    made = Graph(
        "g", (Input("x", value),), (Node("scale", scale.op, (Const(value), Const(1))),), Ref("scale")
    )
    path = tmp_path_factory.mktemp("graphs") / "g"
    made.save(path)
    back = Graph.load(path, made)
    assert back.digest == made.digest
    assert repr(back.inputs[0].default) == repr(value)


@pytest.mark.parametrize(
    "array", [np.zeros((2, 0)), np.float32(2.5), np.array(["ab"]), np.array(1 + 2j), np.array([True])]
)
def test_arrays_come_back_as_they_were(array: Any, tmp_path: Path) -> None:
    """Of any plain dtype and shape."""
    made = Graph("g", (Input("x"),), (Node("scale", scale.op, (Const(array), Const(1))),), Ref("scale"))
    made.save(tmp_path / "g")
    assert Graph.load(tmp_path / "g", made).digest == made.digest


@pytest.mark.parametrize("value", [b"bytes", 1 + 2j, {1, 2}, np.array([object()])])
def test_a_constant_that_has_no_plain_form_is_refused(value: Any, tmp_path: Path) -> None:
    """The message names its type; nothing is written."""
    made = Graph("g", (Input("x"),), (Node("scale", scale.op, (Const(value), Const(1))),), Ref("scale"))
    with pytest.raises(GraphError, match=type(value).__name__):
        made.save(tmp_path / "g")
    assert not list(tmp_path.iterdir())


def drop(key: str) -> Any:
    return lambda data: data["graph"].pop(key) and None


DAMAGE: dict[str, Any] = {
    "no nodes": drop("nodes"),
    "no output": drop("output"),
    "another version": lambda data: data | {"version": 99},
    "another format": lambda data: data | {"format": "hetero plan"},
    "not an object": lambda data: [1, 2],
    "unknown argument": lambda data: data["graph"].update(output=["eval", "1"]),
    "unknown node": lambda data: data["graph"].update(output=["ref", "nope", 0]),
    "unknown op": lambda data: data["graph"]["nodes"][0]["op"].update(kind="pickle", digest="0"),
    "output of a text": lambda data: data["graph"].update(output=["ref", "map#1", "0"]),
    "huge output": lambda data: data["graph"].update(output=["ref", "map#1", 1e308]),
    "name of a number": lambda data: data["graph"]["nodes"][0].update(name=3),
    "nodes of a text": lambda data: data["graph"].update(nodes="abc"),
    "null node": lambda data: data["graph"].update(nodes=[None]),
    "missing file": lambda data: data["graph"]["inputs"].append(["z", {"array": "array/99.npy"}]),
    "two tags": lambda data: data["graph"]["inputs"].append(["z", {"array": "a", "dict": []}]),
    "deep": lambda data: data["graph"].update(output=json.loads("[" * 900 + "]" * 900)),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_is_a_graph_error(how: str, tmp_path: Path) -> None:
    """Whatever stands in the file, it is one kind of error, and it is not run."""
    made = pipeline()
    write(tmp_path / "g", made, DAMAGE[how])
    with pytest.raises(GraphError):
        Graph.load(tmp_path / "g", made)


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04broken"])
def test_a_file_of_another_kind_is_a_graph_error(content: bytes, tmp_path: Path) -> None:
    """Empty, text, or a broken archive; and no file at all."""
    (tmp_path / "g").write_bytes(content)
    with pytest.raises(GraphError, match="is not a graph file"):
        Graph.load(tmp_path / "g")
    with pytest.raises(GraphError, match="cannot read"):
        Graph.load(tmp_path / "missing")
    with pytest.raises(GraphError, match="cannot read"):
        Graph.load(tmp_path)


def test_a_file_nested_too_deeply_is_a_graph_error(tmp_path: Path) -> None:
    """JSON that would exhaust the stack is damage like any other."""
    with zipfile.ZipFile(tmp_path / "g", "w") as archive:
        archive.writestr("graph.json", "[" * 100_000)
    with pytest.raises(GraphError, match="is not a graph file"):
        Graph.load(tmp_path / "g")


def test_a_truncated_file_is_a_graph_error(tmp_path: Path) -> None:
    """At any length."""
    made = pipeline()
    made.save(tmp_path / "g")
    whole = (tmp_path / "g").read_bytes()
    for length in range(0, len(whole), 97):
        (tmp_path / "g").write_bytes(whole[:length])
        with pytest.raises(GraphError):
            Graph.load(tmp_path / "g", made)


def test_an_array_that_is_pickled_is_not_unpickled(tmp_path: Path) -> None:
    """A file is data: an object array in it is refused."""
    made = pipeline()
    made.save(tmp_path / "g")
    with zipfile.ZipFile(tmp_path / "g") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    array = next(name for name in content if name.startswith("array/"))
    np.save(tmp_path / "evil.npy", np.array([print], dtype=object), allow_pickle=True)
    content[array] = (tmp_path / "evil.npy").read_bytes()
    with zipfile.ZipFile(tmp_path / "g", "w") as archive:
        for name, blob in content.items():
            archive.writestr(name, blob)
    with pytest.raises(GraphError, match="allow_pickle"):
        Graph.load(tmp_path / "g", made)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saving over a graph that was saved before fails without touching it, and leaves nothing beside it."""
    made = pipeline()
    made.save(tmp_path / "g")
    before = (tmp_path / "g").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        made.save(tmp_path / "g")
    assert (tmp_path / "g").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["g"]
