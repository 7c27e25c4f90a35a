"""How much work an ONNX model is on given input shapes: FLOPs and bytes, summed over its nodes.

Matrix products and convolutions are counted exactly (a multiply-add is two FLOPs), everything else by its output's
elements. Bytes are what a node without any cache would read and write.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hetero.ops.base import Work
from hetero.ops.onnx_shapes import shapes_of
from hetero.ops.ports import Port
from hetero.values import Specs, TensorSpec

if TYPE_CHECKING:
    import onnx

__all__ = ["Inference", "infer"]

_VIEWS = frozenset(
    {"Constant", "Dropout", "Flatten", "Identity", "Reshape", "Shape", "Size", "Squeeze", "Unsqueeze"}
)
"""Operators that engines do without touching data."""
_MOVES = frozenset(
    {"Cast", "Concat", "Expand", "Gather", "Pad", "Slice", "Split", "Tile", "Transpose", "Where"}
)
"""Operators that touch data and compute nothing."""
_CONTROL = frozenset({"If", "Loop", "Scan", "SequenceMap"})
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_PRODUCTS = frozenset(
    {"Conv", "ConvInteger", "ConvTranspose", "Einsum", "Gemm", "MatMul", "MatMulInteger", "QLinearConv"}
    | {"QLinearMatMul", *_GATES}
)


@dataclass(frozen=True, slots=True)
class Inference:
    """What shapes tell of a model: its outputs' specs, and its work."""

    outputs: Specs
    work: Work


def infer(model: onnx.ModelProto, ports: Sequence[Port], specs: Specs) -> Inference | None:
    """Outputs and work for inputs of these specs.

    None where they depend on data (loops, NonZero) or on an operator that onnx does not know.
    """
    inputs = {
        port.name: spec if isinstance(spec, TensorSpec) else TensorSpec(port.dtype, ())
        for port, spec in zip(ports, specs, strict=True)
    }
    if any(node.op_type in _CONTROL for node in model.graph.node):
        return None
    shapes = shapes_of(model, inputs)
    if any(name and name not in shapes for node in model.graph.node for name in node.output[:1]):
        return None
    flops = nbytes = products = 0.0
    for node in model.graph.node:
        found = _flops(node, shapes)
        flops += found
        nbytes += _nbytes(node, shapes)
        products += found if node.op_type in _PRODUCTS else 0.0
    outputs = tuple(shapes[value.name] for value in model.graph.output)
    return Inference(
        outputs, Work(flops, nbytes, {"product_flops": products, "nodes": float(len(model.graph.node))})
    )


def _flops(node: onnx.NodeProto, shapes: dict[str, TensorSpec]) -> float:
    kind = node.op_type
    if kind in _VIEWS or kind in _MOVES:
        return 0.0
    given = [shapes[name].shape if name else () for name in node.input]
    output = _elements(shapes[node.output[0]])
    if kind in ("Conv", "ConvInteger"):
        return 2.0 * output * math.prod(given[1][1:])
    if kind == "QLinearConv":
        return 2.0 * output * math.prod(given[3][1:])
    if kind == "ConvTranspose":
        return 2.0 * math.prod(given[0]) * math.prod(given[1][1:])
    if kind in ("MatMul", "MatMulInteger", "QLinearMatMul"):
        return 2.0 * output * (given[0][-1] if given[0] else 1)
    if kind == "Gemm":
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        return 2.0 * output * given[0][0 if transposed else 1]
    if kind in _GATES:  # X[seq, batch, in], W[directions, gates * hidden, in]
        steps, batch, size = given[0]
        directions, rows, _ = given[1]
        return 2.0 * steps * batch * directions * rows * (size + rows // _GATES[kind])
    if kind == "Einsum":
        return 2.0 * output * _contracted(node, given)
    return float(output)


def _contracted(node: onnx.NodeProto, given: Sequence[tuple[int, ...]]) -> int:
    """The product of the sizes that an Einsum sums over."""
    equation = next(a.s.decode() for a in node.attribute if a.name == "equation").replace(" ", "")
    terms, _, result = equation.partition("->")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms.split(","), given, strict=True):
        sizes.update(zip(reversed(term.replace(".", "")), reversed(shape), strict=False))
    return math.prod(size for label, size in sizes.items() if label not in result)


def _nbytes(node: onnx.NodeProto, shapes: dict[str, TensorSpec]) -> float:
    if node.op_type in _VIEWS:
        return 0.0
    written = sum(shapes[name].nbytes for name in node.output if name in shapes)
    if node.op_type in ("Gather", "Slice"):  # they read what they write, not the table they take it from
        return 2.0 * written
    return float(written + sum(shapes[name].nbytes for name in node.input if name))


def _elements(spec: TensorSpec) -> int:
    return math.prod(spec.shape)
