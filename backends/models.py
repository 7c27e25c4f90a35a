"""What the ONNX engines share: which ops have an ONNX form, and that form."""

from __future__ import annotations

from typing import cast

from hetero.device import DeviceInfo, Refusal, Variant, thread_counts, wrong_kind
from hetero.errors import ModelError
from hetero.machine import Processor
from hetero.ops.base import Op
from hetero.ops.onnx import OnnxOp
from hetero.ops.onnx_export import failure
from hetero.ops.onnx_quantise import How, quantised
from hetero.ops.torch import TorchOp

__all__ = ["computes_int8", "int8_variants", "onnx_form", "refusal"]

_INT8_FEATURES = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"})
"""CPU features of which one is enough for products of 8-bit integers at speed; without any they were 1.3 to 4.3 times
slower than floats, and saturated."""


def computes_int8(cpu: Processor) -> bool:
    return bool(_INT8_FEATURES & set(cpu.features))


def int8_variants(info: DeviceInfo, how: How) -> tuple[Variant, ...]:
    """The model quantised in this way, where the device computes in 8-bit integers."""
    if "int8" not in info.precisions:
        return ()
    return tuple(
        Variant("int8", threads, exact=False, settings={"quantised": how})
        for threads in thread_counts(info.max_threads)
    )


def refusal(info: DeviceInfo, op: Op) -> Refusal | None:
    """Why an ONNX engine cannot take an op, as far as that is known without any work; None where it may."""
    if op.kind not in info.kinds:
        return wrong_kind(info, op, "ONNX models")
    reason = failure(op) if isinstance(op, TorchOp) else None
    return Refusal(reason) if reason is not None else None


def onnx_form(op: Op, variant: Variant | None = None) -> OnnxOp:
    """The op as an ONNX model: itself, or a torch module exported (once; the export is cached by content); in 8-bit
    integers where the variant says so.

    Raises:
        ModelError: the module cannot be exported, or its export computes something else, or it cannot be quantised.
    """
    if isinstance(op, TorchOp):
        op = op.as_onnx()
    if not isinstance(op, OnnxOp):
        raise ModelError(f"{op.kind} ops have no ONNX form")
    if variant is None or "quantised" not in variant.settings:
        return op
    how = cast("How", variant.settings["quantised"])
    return quantised(op, how, str(variant.settings.get("calibration", "")))
