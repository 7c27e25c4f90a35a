"""What the ONNX engines share: which ops have an ONNX form, and that form."""

from __future__ import annotations

from hetero.device import DeviceInfo, Refusal
from hetero.errors import ModelError
from hetero.ops.base import Op
from hetero.ops.onnx import OnnxOp
from hetero.ops.onnx_export import failure
from hetero.ops.torch import TorchOp

__all__ = ["onnx_form", "refusal"]


def refusal(info: DeviceInfo, op: Op) -> Refusal | None:
    """Why an ONNX engine cannot take an op, as far as that is known without any work; None where it may."""
    if op.kind not in info.kinds:
        return Refusal(f"{info.name} runs ONNX models, not {op.kind} ops")
    reason = failure(op) if isinstance(op, TorchOp) else None
    return Refusal(reason) if reason is not None else None


def onnx_form(op: Op) -> OnnxOp:
    """The op as an ONNX model: itself, or a torch module exported (once; the export is cached by content).

    Raises:
        ModelError: the module cannot be exported, or its export computes something else.
    """
    if isinstance(op, TorchOp):
        return op.as_onnx()
    if isinstance(op, OnnxOp):
        return op
    raise ModelError(f"{op.kind} ops have no ONNX form")
