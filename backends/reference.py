"""The reference: any op by its own reference run, slow and right. Everything else is compared with it."""

from __future__ import annotations

from collections.abc import Sequence

import hetero
from hetero.device import (
    HOST,
    Device,
    DeviceInfo,
    DeviceStatus,
    DirectExecutable,
    Offers,
    Precision,
    Refusal,
    Variant,
    refuse,
)
from hetero.errors import HeteroError
from hetero.machine import Processor
from hetero.ops.base import Op
from hetero.values import Specs

NAME = "cpu/reference"
PRECISIONS: dict[str, Precision] = {"function": "native", "circuit": "fp64"}


def probe(cpu: Processor) -> Sequence[DeviceStatus]:
    info = DeviceInfo(
        name=NAME,
        engine="reference",
        version=getattr(hetero, "__version__", ""),
        processor=cpu.name,
        vendor=cpu.vendor,
        supplier="hetero",
        kinds=("function", "onnx", "torch", "circuit"),
        capability="any op, by its reference run",
        max_threads=cpu.cores,
    )
    return [DeviceStatus(NAME, True, info)]


def open_device(info: DeviceInfo) -> Device:
    return ReferenceDevice(info)


class ReferenceDevice:
    """Loads the op's reference run. It takes all cores: reference runs leave threads to their libraries."""

    memory = HOST

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info

    def variants(self, op: Op, specs: Specs) -> Offers:
        if op.kind not in self.info.kinds:
            return Offers(refusals=(Refusal(f"{self.info.name} does not run {op.kind} ops"),))
        threads = 1 if op.kind == "function" else self.info.max_threads
        return Offers((Variant(PRECISIONS.get(op.kind, "fp32"), threads),))

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        try:
            return DirectExecutable(op.load())
        except HeteroError as error:
            raise refuse(self.info.name, op, error) from error
