"""What makes a file that reads as an ONNX model a model: checked before anything believes it.

A damaged file often still parses: a name loses its letters, a tensor its bytes. onnx's own checker is not used here,
since it also refuses models that every engine runs (deprecated operators, unsorted nodes).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Set
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

__all__ = ["first_defect", "graphs_of", "initializers_of", "tensor_nbytes"]


def first_defect(model: onnx.ModelProto) -> str | None:
    """What is wrong with a model, in words; None where it is well-formed."""
    return next((defect for rule in _RULES for defect in rule(model)), None)


def graphs_of(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and, after it, the graphs inside its If, Loop and Scan nodes."""
    yield graph
    for node in graph.node:
        for inner in _inner_graphs(node):
            yield from graphs_of(inner)


def initializers_of(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Every weight: initialisers and tensors held by Constant nodes, those of inner graphs too."""
    for inner in graphs_of(graph):
        yield from inner.initializer
        for node in inner.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t


def tensor_nbytes(tensor: onnx.TensorProto) -> int:
    """Bytes of a tensor in memory by its dims and type, whether or not its data is at hand."""
    from onnx import helper

    return math.prod(map(int, tensor.dims)) * int(helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)


def _inner_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _has_outputs(model: onnx.ModelProto) -> Iterator[str]:
    if not model.graph.output:
        yield "it has no graph with outputs"


def _names_are_text(model: onnx.ModelProto) -> Iterator[str]:
    """protobuf gives bytes where a text is not UTF-8."""
    for graph in graphs_of(model.graph):
        names = [value.name for value in (*graph.input, *graph.output, *graph.initializer)]
        for node in graph.node:
            names += [node.op_type, node.domain, *node.input, *node.output]
            names += [attribute.name for attribute in node.attribute]
        yield from (f"the name {name!r} is no text" for name in names if not isinstance(name, str))


def _types_are_known(model: onnx.ModelProto) -> Iterator[str]:
    from onnx import TensorProto

    known = set(TensorProto.DataType.values()) - {TensorProto.UNDEFINED}
    for tensor in initializers_of(model.graph):
        if tensor.data_type not in known:
            yield f"tensor {tensor.name!r} has the unknown element type {tensor.data_type}"
    for value in (*model.graph.input, *model.graph.output):
        element = value.type.tensor_type.elem_type
        if value.type.HasField("tensor_type") and element not in known:
            yield f"{value.name!r} has the unknown element type {element}"


def _tensors_are_whole(model: onnx.ModelProto) -> Iterator[str]:
    from onnx import TensorProto, helper

    unsized = {value for name, value in TensorProto.DataType.items() if name in _UNSIZED}
    for tensor in initializers_of(model.graph):
        if any(size < 0 for size in tensor.dims):
            yield f"tensor {tensor.name!r} has the shape {list(tensor.dims)}"
        elif tensor.data_type not in unsized and tensor.data_location != TensorProto.EXTERNAL:
            if tensor.HasField("raw_data"):
                unit, found, expected = "bytes", len(tensor.raw_data), tensor_nbytes(tensor)
            else:  # one entry an element, two for a complex one
                complex_type = tensor.data_type in (TensorProto.COMPLEX64, TensorProto.COMPLEX128)
                field = helper.tensor_dtype_to_field(tensor.data_type)
                unit, found = "numbers", len(getattr(tensor, field))
                expected = math.prod(map(int, tensor.dims)) * (2 if complex_type else 1)
            if found != expected:
                yield f"tensor {tensor.name!r} holds {found} {unit}, expected {expected} for its shape"


def _nodes_have_outputs(model: onnx.ModelProto) -> Iterator[str]:
    for graph in graphs_of(model.graph):
        for node in graph.node:
            if not any(node.output):
                yield f"a node {node.op_type!r} has no outputs"


def _values_exist(model: onnx.ModelProto) -> Iterator[str]:
    yield from _missing_values(model.graph, frozenset())


def _missing_values(graph: onnx.GraphProto, outer: Set[str]) -> Iterator[str]:
    """Values that a node or the graph takes and nothing gives, in the graph and those inside it."""
    given = {value.name for value in (*graph.input, *graph.initializer)}
    given |= {tensor.values.name for tensor in graph.sparse_initializer}
    given |= {name for node in graph.node for name in node.output} | outer
    for node in graph.node:
        for name in node.input:
            if name and name not in given:
                yield f"node {node.op_type!r} takes {name!r}, which nothing gives"
        for inner in _inner_graphs(node):
            yield from _missing_values(inner, given)
    for value in graph.output:
        if value.name not in given:
            yield f"nothing gives the output {value.name!r}"


_UNSIZED = frozenset({"STRING", "INT4", "UINT4", "FLOAT4E2M1", "INT2", "UINT2"})
"""Types whose elements are smaller than a byte, or of no fixed size."""

_RULES: tuple[Callable[[onnx.ModelProto], Iterator[str]], ...] = (
    _has_outputs,
    _names_are_text,
    _types_are_known,
    _tensors_are_whole,
    _nodes_have_outputs,
    _values_exist,
)
"""In this order: each may rely on what those before it found good."""
