"""ONNX models built by hand, small enough to reason about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

Ports = dict[str, tuple[Any, list[Any]]]


def model(
    nodes: Sequence[NodeProto], inputs: Ports, outputs: Ports, opset: int = 17, **constants: Any
) -> ModelProto:
    """A model of these nodes; ``inputs`` and ``outputs`` are name -> (dtype, shape)."""

    def infos(ports: Ports) -> list[Any]:
        return [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
            for name, (dtype, shape) in ports.items()
        ]

    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(list(nodes), "by_hand", infos(inputs), infos(outputs), weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def projection(weights: Any = None) -> ModelProto:
    """y[n, 3] = relu(x[n, 4] @ w)."""
    w = np.arange(12, dtype=np.float32).reshape(4, 3) if weights is None else weights
    return model(
        [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Relu", ["a"], ["y"])],
        {"x": (np.float32, ["n", 4])},
        {"y": (np.float32, ["n", 3])},
        w=w,
    )


def pair() -> ModelProto:
    """total[n, 2] = scale * (left[n, 2] + right[n, 2]), with a scalar scale."""
    return model(
        [
            helper.make_node("Add", ["left", "right"], ["sum"]),
            helper.make_node("Mul", ["sum", "scale"], ["total"]),
        ],
        {"left": (np.float32, ["n", 2]), "right": (np.float32, ["n", 2]), "scale": (np.float32, [])},
        {"total": (np.float32, ["n", 2])},
    )


def either() -> ModelProto:
    """y = x + 1 where a flag is set, else x - 1: a model with control flow."""

    def side(operator: str, name: str) -> Any:
        out = helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(np.dtype(np.float32)), ["n"]
        )
        return helper.make_graph([helper.make_node(operator, ["x", "one"], [name])], name, [], [out])

    node = helper.make_node(
        "If", ["flag"], ["y"], then_branch=side("Add", "more"), else_branch=side("Sub", "less")
    )
    return model(
        [node],
        {"flag": (np.bool_, []), "x": (np.float32, ["n"])},
        {"y": (np.float32, ["n"])},
        one=np.float32(1),
    )
