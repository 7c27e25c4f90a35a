"""Small real ops of each kind, with inputs of several shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np

from hetero.ops.base import Op, Outputs

__all__ = ["Sample", "broken_model", "heavy", "samples"]


_NodeParts: TypeAlias = tuple[str, list[str], list[str], dict[str, Any]]
"""Operator, names of inputs, names of outputs, attributes."""


@dataclass(frozen=True, eq=False)
class Sample:
    """An op with sets of inputs: the first is what variants are asked for, the others differ in shape."""

    op: Op
    inputs: tuple[tuple[Any, ...], ...]
    _expected: dict[int, Outputs] = field(default_factory=dict, repr=False)

    def reference(self, index: int) -> Outputs:
        """What the op's reference run gives for inputs number ``index``."""
        if index not in self._expected:
            self._expected[index] = self.op.load()(*self.inputs[index])
        return self._expected[index]


@cache
def samples(kind: str) -> tuple[Sample, ...]:
    """The samples of a kind of op; none where the packages that the kind itself needs are not installed."""
    packages, makers = _KINDS.get(kind, ((), ()))
    if any(find_spec(package) is None for package in packages):
        return ()
    return tuple(make() for make in makers)


def floats(seed: int, *shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def _convolution() -> Sample:
    """Convolution, pooling and a projection, in two outputs: image sizes and batch are free."""
    nodes: list[_NodeParts] = [
        ("Conv", ["image", "kernel", "bias"], ["features"], {"pads": [1, 1, 1, 1]}),
        ("Relu", ["features"], ["active"], {}),
        ("GlobalAveragePool", ["active"], ["pooled"], {}),
        ("Flatten", ["pooled"], ["flat"], {}),
        ("MatMul", ["flat", "weights"], ["scores"], {}),
    ]
    constants = {"kernel": floats(1, 8, 3, 3, 3), "bias": floats(2, 8), "weights": floats(3, 8, 5)}
    op = _onnx(
        "convolution",
        nodes,
        {"image": ("float32", ["batch", 3, "height", "width"])},
        {"scores": ("float32", ["batch", 5]), "active": ("float32", ["batch", 8, "height", "width"])},
        constants,
    )
    return Sample(op, ((floats(4, 1, 3, 16, 16),), (floats(5, 2, 3, 9, 20),)))


def _attention() -> Sample:
    """Scaled products and a softmax of two inputs that share a size."""
    nodes: list[_NodeParts] = [
        ("Transpose", ["keys"], ["turned"], {"perm": [1, 0]}),
        ("MatMul", ["queries", "turned"], ["raw"], {}),
        ("Mul", ["raw", "scale"], ["scaled"], {}),
        ("Softmax", ["scaled"], ["weights"], {"axis": -1}),
        ("MatMul", ["weights", "keys"], ["mixed"], {}),
    ]
    op = _onnx(
        "attention",
        nodes,
        {"queries": ("float32", ["n", 16]), "keys": ("float32", ["m", 16])},
        {"mixed": ("float32", ["n", 16])},
        {"scale": np.array(0.25, np.float32)},
    )
    return Sample(op, ((floats(6, 4, 16), floats(7, 6, 16)), (floats(8, 1, 16), floats(9, 3, 16))))


def _lookup() -> Sample:
    """Rows of a table by integer numbers, and a scalar that a plain Python number may be given for."""
    op = _onnx(
        "lookup",
        [("Gather", ["table", "ids"], ["rows"], {}), ("Mul", ["rows", "factor"], ["scaled"], {})],
        {"ids": ("int64", ["n"]), "factor": ("float32", [])},
        {"scaled": ("float32", ["n", 6])},
        {"table": floats(10, 20, 6)},
    )
    return Sample(op, ((np.array([3, 1, 4]), np.array(2, np.float32)), (np.array([19]), 0.5)))


def _torch_module() -> Sample:
    """A perceptron with two named outputs; its batch is free."""
    import torch

    from hetero.ops.torch import TorchOp

    class Perceptron(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = torch.nn.Linear(12, 24)
            self.out = torch.nn.Linear(24, 3)

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            hidden = torch.nn.functional.gelu(self.hidden(x))
            return {"scores": self.out(hidden).softmax(-1), "hidden": hidden}

    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(0)
        module = Perceptron()
    finally:
        torch.random.set_rng_state(state)
    op = TorchOp.from_module(module, floats(11, 2, 12), "perceptron")
    return Sample(op, ((floats(11, 2, 12),), (floats(12, 5, 12),)))


def _function() -> Sample:
    """A Python function with two outputs, an array and a dict."""
    from hetero.ops.function import FunctionOp

    def summarise(x: Any, label: str = "sum") -> Any:
        return x * 2, {label: int(x.sum())}

    op = FunctionOp(summarise, outputs=2)
    return Sample(op, ((np.arange(6), "total"), (np.arange(12).reshape(3, 4), "all")))


def _circuit() -> Sample:
    """Two qubits, two angles, two observables; one parameter set and a batch of them."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector

    from hetero.ops.circuit import CircuitOp

    angles = ParameterVector("angle", 2)
    circuit = QuantumCircuit(2, name="entangler")
    circuit.ry(angles[0], 0)
    circuit.rz(angles[1], 1)
    circuit.h(1)
    circuit.cx(0, 1)
    op = CircuitOp.from_circuit(circuit, observables=["ZZ", "XI"])
    return Sample(op, ((np.array([0.3, 1.2]),), (np.array([[0.1, 0.2], [2.0, -1.0], [0.7, 0.0]]),)))


def _clifford_circuit() -> Sample:
    """Three qubits without an angle, so that methods for Clifford circuits have something to run."""
    from qiskit import QuantumCircuit

    from hetero.ops.circuit import CircuitOp

    circuit = QuantumCircuit(3, name="clifford")
    circuit.h(0)
    circuit.s(0)
    circuit.cx(0, 1)
    circuit.cz(1, 2)
    op = CircuitOp.from_circuit(circuit, observables=["IXY", "ZZI"])
    return Sample(op, ((),))


def heavy(kind: str) -> Sample | None:
    """An op that keeps one core busy for tens of milliseconds; None for kinds that have no threads to divide."""
    if not samples(kind):
        return None
    if kind == "onnx":
        nodes: list[_NodeParts] = [
            ("MatMul", ["x" if i == 0 else f"h{i}", "weights"], [f"h{i + 1}"], {}) for i in range(8)
        ]
        weights = floats(13, 640, 640) / np.float32(25.0)
        op: Op = _onnx(
            "chain",
            nodes,
            {"x": ("float32", ["n", 640])},
            {"h8": ("float32", ["n", 640])},
            {"weights": weights},
        )
    elif kind == "torch":
        import torch

        from hetero.ops.torch import TorchOp

        module = torch.nn.Sequential(*(torch.nn.Linear(640, 640) for _ in range(8)))
        op = TorchOp.from_module(module, floats(13, 2, 640), "chain")
    else:
        return None
    return Sample(op, ((floats(14, 640, 640),),))


def broken_model() -> Op:
    """A well-formed ONNX model of an operator that no engine has."""
    return _onnx(
        "broken",
        [("Prophecy", ["x"], ["y"], {"domain": "hetero.conformance"})],
        {"x": ("float32", ["n"])},
        {"y": ("float32", ["n"])},
        {},
    )


def _onnx(
    name: str,
    nodes: Sequence[_NodeParts],
    inputs: dict[str, tuple[str, list[Any]]],
    outputs: dict[str, tuple[str, list[Any]]],
    constants: dict[str, np.ndarray[Any, Any]],
) -> Op:
    from onnx import helper, numpy_helper

    from hetero.ops.onnx import OnnxOp

    def ports(given: dict[str, tuple[str, list[Any]]]) -> list[Any]:
        return [
            helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
            for key, (dtype, shape) in given.items()
        ]

    graph = helper.make_graph(
        [helper.make_node(kind, takes, gives, **attributes) for kind, takes, gives, attributes in nodes],
        name,
        ports(inputs),
        ports(outputs),
        [numpy_helper.from_array(array, key) for key, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("hetero.conformance", 1)]
    # the oldest file format that fits: older engines refuse newer ones whatever is in them
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return OnnxOp.from_model(model.SerializeToString(), name)


_KINDS: dict[str, tuple[tuple[str, ...], tuple[Callable[[], Sample], ...]]] = {
    "function": ((), (_function,)),
    "onnx": (("onnx", "onnxruntime"), (_convolution, _attention, _lookup)),
    "torch": (("torch",), (_torch_module,)),
    "circuit": (("qiskit",), (_circuit, _clifford_circuit)),
}
"""Kind of op -> packages that the op itself needs, and its samples."""
