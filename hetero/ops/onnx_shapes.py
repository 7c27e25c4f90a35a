"""Concrete shapes of every value in an ONNX graph, given those of its inputs, without running the model.

onnx's own inference over a whole model loses track where a model computes with shapes (Shape, Gather, Concat,
Reshape: most exported transformers). Here it goes node by node, and small integer tensors are followed by value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.values import TensorSpec

if TYPE_CHECKING:
    import onnx

__all__ = ["shapes_of"]

_SMALL = 1024
"""Elements up to which a constant is followed by value; shapes are far below, weights far above."""

_ARITHMETIC = frozenset(
    {"Abs", "Add", "And", "Cast", "Ceil", "Concat", "Constant", "ConstantOfShape", "Div", "Equal", "Expand"}
    | {
        "Floor",
        "Gather",
        "Greater",
        "Identity",
        "Less",
        "Max",
        "Min",
        "Mod",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "Pow",
    }
    | {
        "Range",
        "ReduceMax",
        "ReduceMin",
        "ReduceProd",
        "ReduceSum",
        "Shape",
        "Size",
        "Slice",
        "Split",
        "Sqrt",
    }
    | {"Sub", "Tile", "Transpose", "Where"}
)
"""Operators that shape computations are made of."""
_RESHAPES = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
"""Operators whose output is their first input in another shape."""


def shapes_of(model: onnx.ModelProto, inputs: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
    """Dtype and shape of each value that can be told; those that depend on data are left out."""
    walk = _Walk(model, inputs)
    for node in model.graph.node:
        walk.visit(node)
    return walk.specs


class _Walk:
    """One pass over a graph in its topological order."""

    def __init__(self, model: onnx.ModelProto, inputs: Mapping[str, TensorSpec]) -> None:
        self.opsets = list(model.opset_import)
        self.versions = {opset.domain: opset.version for opset in model.opset_import}
        self.specs: dict[str, TensorSpec] = dict(inputs)
        self.known: dict[str, Any] = {}
        for tensor in model.graph.initializer:
            self._constant(tensor)

    def _constant(self, tensor: onnx.TensorProto) -> None:
        from onnx import TensorProto, helper, numpy_helper

        shape = tuple(map(int, tensor.dims))
        self.specs[tensor.name] = TensorSpec(helper.tensor_dtype_to_np_dtype(tensor.data_type).name, shape)
        if np.prod(shape) <= _SMALL and tensor.data_location != TensorProto.EXTERNAL:
            self.known[tensor.name] = numpy_helper.to_array(tensor)

    def visit(self, node: onnx.NodeProto) -> None:
        if node.op_type == "Shape" and node.input[0] in self.specs:
            self._evaluate(node, {node.input[0]: _hollow(self.specs[node.input[0]])})
        elif node.op_type in _ARITHMETIC and all(not name or name in self.known for name in node.input):
            self._evaluate(node, {name: self.known[name] for name in node.input if name})
        else:
            self._infer(node)
            first, output = next(iter(node.input), ""), node.output[0]
            if node.op_type in _RESHAPES and first in self.known and output in self.specs:
                # not by the evaluator: onnx's fails for the axes that were attributes before opset 13
                self.known[output] = self.known[first].reshape(self.specs[output].shape)

    def _evaluate(self, node: onnx.NodeProto, feeds: dict[str, Any]) -> None:
        """Follow a node by value: it computes with shapes."""
        from onnx.reference import ReferenceEvaluator

        try:
            outputs = ReferenceEvaluator(node, opsets=self.versions).run(None, feeds)
        except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError):
            self._infer(node)  # what the evaluator cannot follow may still have a shape
            return
        for name, value in zip(node.output, outputs, strict=False):
            array = np.asarray(value)
            self.specs[name] = TensorSpec(array.dtype.name, array.shape)
            if array.size <= _SMALL:
                self.known[name] = array

    def _infer(self, node: onnx.NodeProto) -> None:
        """Follow a node by shape, through its operator's own inference."""
        from onnx import checker, defs, helper, numpy_helper, shape_inference

        version = self.versions.get(node.domain)
        if version is None or not defs.has(node.op_type, node.domain):
            return
        types, data = {}, {}
        for name in filter(None, node.input):
            if name not in self.specs:
                return
            spec = self.specs[name]
            element = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
            types[name] = helper.make_tensor_type_proto(element, spec.shape)
            if name in self.known:
                data[name] = numpy_helper.from_array(self.known[name], name)
        try:
            schema = defs.get_schema(node.op_type, version, node.domain)
            found = shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=self.opsets)
        except (defs.SchemaError, checker.ValidationError, shape_inference.InferenceError, RuntimeError):
            return  # the operator is unknown in this version, or used in a way that it does not allow
        for name, kind in found.items():
            tensor = kind.tensor_type
            if (
                tensor.elem_type
                and tensor.HasField("shape")
                and all(d.HasField("dim_value") for d in tensor.shape.dim)
            ):
                dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
                self.specs[name] = TensorSpec(dtype, tuple(int(d.dim_value) for d in tensor.shape.dim))


def _hollow(spec: TensorSpec) -> Any:
    """An array of that shape and dtype that holds one element, whatever its size."""
    return np.broadcast_to(np.zeros((), spec.dtype), spec.shape)
