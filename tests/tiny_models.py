"""The smallest ONNX models, made in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

import hetero as ht
from hetero.tracing import Callee


def affine(
    name: str = "affine", *, width: int = 4, factor: float = 2.0, dtype: str = "float32", outputs: int = 1
) -> Callee:
    """``y = x @ W`` with weights, for any number of rows; a second output is its sum over a row."""
    from onnx import helper, numpy_helper

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    weights = numpy_helper.from_array((np.eye(width) * factor).astype(dtype), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    shapes: list[Any] = [helper.make_tensor_value_info("y", kind, ["rows", width])]
    if outputs == 2:
        nodes.append(helper.make_node("ReduceMean", ["y"], ["mean"], axes=[1], keepdims=0))
        shapes.append(helper.make_tensor_value_info("mean", kind, ["rows"]))
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("x", kind, ["rows", width])], shapes, [weights]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return ht.from_onnx(model.SerializeToString(), name=name)
