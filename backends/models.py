"""What the ONNX engines share: the ONNX form of an op."""

from __future__ import annotations

from hetero.ops.base import Op
from hetero.ops.onnx import OnnxOp
from hetero.ops.torch import TorchOp

__all__ = ["onnx_form"]


def onnx_form(op: Op) -> OnnxOp:
    """The op as an ONNX model: itself, or a torch module exported (once; the export is cached by content).

    Raises:
        ModelError: the module cannot be exported, or its export computes something else.
    """
    if isinstance(op, TorchOp):
        return op.as_onnx()
    assert isinstance(op, OnnxOp), f"{op.kind} ops have no ONNX form"
    return op
