"""A third party's device: ONNX models by onnx's own evaluator. One file, one entry point, no change in hetero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnx.reference import ReferenceEvaluator
from threadpoolctl import threadpool_limits

from hetero.device import (
    HOST,
    Device,
    DeviceInfo,
    DeviceStatus,
    DirectExecutable,
    Offers,
    Refusal,
    Variant,
    refuse,
)
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs
from hetero.ops.onnx import OnnxOp
from hetero.values import Specs


def probe(cpu: Processor) -> Sequence[DeviceStatus]:
    processor = Processor("abacus0", kind="abacus", vendor="Third Party", model="ten rods")
    info = DeviceInfo(
        name="abacus0/abacus",
        engine="abacus",
        version="1.0",
        processor="abacus0",
        vendor="Third Party",
        supplier="Third Party",
        kinds=("onnx",),
        capability="ONNX models, one bead at a time",
    )
    return [DeviceStatus(info.name, True, info, processor)]


def open_device(info: DeviceInfo) -> Device:
    return Abacus(info)


class Abacus:
    memory = HOST

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info

    def variants(self, op: Op, specs: Specs) -> Offers:
        if not isinstance(op, OnnxOp):
            return Offers(refusals=(Refusal("an abacus reads ONNX only"),))
        return Offers((Variant(),))

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        assert isinstance(op, OnnxOp)
        try:
            evaluator = ReferenceEvaluator(op.file.parse())
        except (RuntimeError, NotImplementedError) as error:
            raise refuse(self.info.name, op, error) from error

        def run(*inputs: Any) -> Outputs:
            with threadpool_limits(1):  # NumPy's matrix products take all cores otherwise
                return tuple(evaluator.run(None, dict(zip(op.inputs, op.arrays(inputs), strict=True))))

        return DirectExecutable(run)
