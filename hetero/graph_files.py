"""Graphs as files and as networkx graphs.

A file is a zip of ``graph.json`` and the ops' own content: ONNX models as they are, circuits as QPY. It holds no
code and nothing pickled: Python functions and torch modules are named by their content hash and are taken, when the
file is read, from a pipeline or graph that has them.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.arguments import errors_option
from hetero.errors import GraphError, HeteroError
from hetero.files import write_atomically
from hetero.graph import REQUIRED, Arg, Const, Graph, Input, Node, Pack, Ref
from hetero.ops.base import Op
from hetero.ops.branch import BranchOp
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_part import CircuitPartOp
from hetero.ops.map import MapOp
from hetero.ops.onnx import OnnxOp

if TYPE_CHECKING:
    import networkx

__all__ = ["from_networkx", "load_graph", "save_graph", "to_networkx"]

VERSION = 1
_LARGEST_JSON = 64 << 20


def to_networkx(graph: Graph) -> networkx.DiGraph[str]:
    """A networkx DiGraph: a node for each node, named by it, with ``op``, ``args``, ``location`` and ``stands_for``;
    an edge from each producer to its consumers. The graph's attributes keep its name, inputs and output."""
    import networkx

    drawn: networkx.DiGraph[str] = networkx.DiGraph(name=graph.name, inputs=graph.inputs, output=graph.output)
    for node in graph:
        drawn.add_node(
            node.name, op=node.op, args=node.args, location=node.location, stands_for=node.stands_for
        )
    drawn.add_edges_from(graph.edges)
    return drawn


def from_networkx(drawn: networkx.DiGraph[str]) -> Graph:
    """The inverse of ``to_networkx``, whatever the order of the nodes.

    Raises:
        GraphError: it is cyclic, or lacks what ``to_networkx`` writes.
    """
    import networkx

    try:
        order = list(networkx.lexicographical_topological_sort(drawn, key=list(drawn).index))
    except networkx.NetworkXUnfeasible:
        cycle = " -> ".join(str(a) for a, _ in networkx.find_cycle(drawn))
        raise GraphError(f"graph {drawn.name!r} is cyclic: {cycle}") from None
    try:
        nodes = tuple(
            Node(
                str(name),
                drawn.nodes[name]["op"],
                drawn.nodes[name]["args"],
                drawn.nodes[name].get("location", ""),
                drawn.nodes[name].get("stands_for", ()),
            )
            for name in order
        )
        return Graph(drawn.name, drawn.graph["inputs"], nodes, drawn.graph["output"])
    except KeyError as error:
        raise GraphError(
            f"graph {drawn.name!r} lacks {error}: expected what Graph.to_networkx() writes"
        ) from None


def save_graph(graph: Graph, path: str | Path) -> None:
    """Write the graph; the old file stays intact if that fails.

    Raises:
        GraphError: a constant is no array and no plain value.
    """
    content: dict[str, bytes] = {}
    data = {"format": "hetero graph", "version": VERSION, "graph": _graph_plain(graph, content)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("graph.json", json.dumps(data, indent=1))
        for name, blob in content.items():
            archive.writestr(name, blob)
    write_atomically(path, buffer.getvalue())


def load_graph(path: str | Path, code: Graph | Iterable[Op] = ()) -> Graph:
    """Read a graph.

    Args:
        code: where Python functions and torch modules come from: a graph that has them, or the ops themselves.

    Raises:
        GraphError: the file is no graph or damaged, or an op is not among ``code``; names the op.
    """
    known = _ops_of(code)
    try:
        with zipfile.ZipFile(path) as archive:
            _require_stored(archive, path)
            if archive.getinfo("graph.json").file_size > _LARGEST_JSON:
                raise GraphError(f"{path}: graph.json is larger than {_LARGEST_JSON} bytes")
            data = json.loads(archive.read("graph.json"))
            if data.get("format") != "hetero graph" or data.get("version") != VERSION:
                raise GraphError(f"{path} is not a graph file of version {VERSION}")
            return _graph_of(data["graph"], archive, known)
    except HeteroError:
        raise
    except OSError as error:
        raise GraphError(f"cannot read {path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise GraphError(f"{path} is not a graph file: {type(error).__name__}: {error}") from error


def _require_stored(archive: zipfile.ZipFile, path: str | Path) -> None:
    """What is stored as it is cannot become larger than the file when it is read."""
    for member in archive.infolist():
        if member.compress_type != zipfile.ZIP_STORED:
            raise GraphError(
                f"{path}: {member.filename!r} is compressed; in a graph file everything is stored as it is"
            )


def _ops_of(code: Graph | Iterable[Op]) -> dict[str, Op]:
    if isinstance(code, Graph):
        return {node.op.digest: node.op for _, node in code.walk()}
    return {op.digest: op for op in code}


def _graph_plain(graph: Graph, content: dict[str, bytes]) -> dict[str, Any]:
    return {
        "name": graph.name,
        "inputs": [
            [i.name] if i.default is REQUIRED else [i.name, _value_plain(i.default, content)]
            for i in graph.inputs
        ],
        "nodes": [
            {
                "name": node.name,
                "op": _op_plain(node.op, content),
                "args": [_arg_plain(arg, content) for arg in node.args],
                "location": node.location,
                "stands_for": node.stands_for,
            }
            for node in graph
        ],
        "output": _arg_plain(graph.output, content),
    }


def _graph_of(plain: Mapping[str, Any], archive: zipfile.ZipFile, known: Mapping[str, Op]) -> Graph:
    return Graph(
        plain["name"],
        tuple(Input(i[0], _value_of(i[1], archive) if len(i) > 1 else REQUIRED) for i in plain["inputs"]),
        tuple(
            Node(
                node["name"],
                _op_of(node["op"], archive, known),
                tuple(_arg_of(arg, archive) for arg in node["args"]),
                node["location"],
                tuple(node.get("stands_for", ())),
            )
            for node in plain["nodes"]
        ),
        _arg_of(plain["output"], archive),
    )


def _op_plain(op: Op, content: dict[str, bytes]) -> dict[str, Any]:
    plain: dict[str, Any] = {"kind": op.kind, "name": op.name, "digest": op.digest}
    if isinstance(op, OnnxOp):
        folder = f"onnx/{op.digest}"
        for name, blob in op.contents().items():
            content[f"{folder}/{name}"] = blob
        plain["files"] = list(op.contents())
        plain["paddable"] = dict(op.paddable)
    elif isinstance(op, CircuitOp):
        content[f"circuit/{op.digest}.qpy"] = op.to_qpy()
        plain |= op.asked()
    elif isinstance(op, MapOp):
        plain |= {"item": _graph_plain(op.item, content), "errors": op.errors}
    elif isinstance(op, BranchOp):
        plain |= {"then": _graph_plain(op.then, content), "otherwise": _graph_plain(op.otherwise, content)}
        plain["outputs"] = len(op.outputs)
    return plain


def _op_of(plain: Mapping[str, Any], archive: zipfile.ZipFile, known: Mapping[str, Op]) -> Op:
    kind, name, digest = plain["kind"], plain["name"], plain["digest"]
    if digest in known:
        return known[digest]
    if kind == "onnx":
        blobs = {file: archive.read(f"onnx/{digest}/{file}") for file in plain["files"]}
        return OnnxOp.from_contents(blobs, name, plain.get("paddable"))
    if kind == "circuit":
        found = CircuitOp.from_qpy(archive.read(f"circuit/{digest}.qpy"), name, plain)
        return found if "columns" not in plain else CircuitPartOp.of(found, plain["columns"], plain["whole"])
    if kind == "map":
        errors = errors_option(plain.get("errors", "raise"))
        return MapOp(_graph_of(plain["item"], archive, known), name, errors)
    if kind == "branch":
        then, otherwise = (_graph_of(plain[side], archive, known) for side in ("then", "otherwise"))
        return BranchOp(then, otherwise, plain["outputs"], name)
    raise GraphError(
        f"the file names the {kind} {name!r} by its content ({digest}), which is code and so not in the file; give a "
        "pipeline's graph that has it, unchanged, as code="
    )


def _arg_plain(arg: Arg, content: dict[str, bytes]) -> list[Any]:
    if isinstance(arg, Ref):
        return ["ref", arg.node, arg.output]
    if isinstance(arg, Const):
        return ["const", _value_plain(arg.value, content)]
    return [
        arg.type,
        [_arg_plain(item, content) for item in arg.items],
        [_value_plain(k, content) for k in arg.keys],
    ]


def _arg_of(plain: Any, archive: zipfile.ZipFile) -> Arg:
    kind = plain[0]
    if kind == "ref":
        return Ref(plain[1], plain[2])
    if kind == "const":
        return Const(_value_of(plain[1], archive))
    if kind not in ("list", "tuple", "dict"):
        raise GraphError(f"unknown kind of argument {kind!r}")
    return Pack(
        kind, tuple(_arg_of(a, archive) for a in plain[1]), tuple(_value_of(key, archive) for key in plain[2])
    )


def _value_plain(value: Any, content: dict[str, bytes]) -> Any:
    """A constant as JSON, arrays as files of their own. Plain values stay themselves; the rest is tagged."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(value), allow_pickle=False)
        name = f"array/{len(content)}.npy"
        content[name] = buffer.getvalue()
        return {"array": name}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_value_plain(item, content) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[_value_plain(k, content), _value_plain(v, content)] for k, v in value.items()]}
    raise GraphError(
        f"a constant of type {type(value).__name__} cannot be saved; pass it as an input, or make it inside a node"
    )


def _value_of(plain: Any, archive: zipfile.ZipFile) -> Any:
    if not isinstance(plain, dict):
        return plain
    ((kind, inside),) = plain.items()
    if kind == "array":
        return _array(archive.read(inside), inside)
    if kind == "dict":
        return {_value_of(k, archive): _value_of(v, archive) for k, v in inside}
    items = [_value_of(item, archive) for item in inside]
    return tuple(items) if kind == "tuple" else items


def _array(content: bytes, name: str) -> Any:
    """An array of a .npy file. NumPy makes room for what the header promises before it looks for it."""
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = read[version](file)
    except (
        ValueError,
        LookupError,
        TokenError,
    ) as error:  # NumPy parses headers as Python 2 has written them, too
        raise GraphError(f"{name} is not an array of NumPy's file format: {error}") from error
    found, promised = len(content) - file.tell(), math.prod(shape) * dtype.itemsize
    if found != promised and not dtype.hasobject:  # objects are refused by what follows
        raise GraphError(f"{name} has {found} bytes of data; {dtype} of shape {shape} takes {promised}")
    return np.load(io.BytesIO(content), allow_pickle=False)
