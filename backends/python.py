"""Python functions, called as they are."""

from __future__ import annotations

import platform
from collections.abc import Sequence

from hetero.device import HOST, Device, DeviceInfo, DeviceStatus, DirectExecutable, Offers, Refusal, Variant
from hetero.machine import Processor
from hetero.ops.base import Op
from hetero.values import Specs

NAME = "cpu/python"


def probe(cpu: Processor) -> Sequence[DeviceStatus]:
    info = DeviceInfo(
        name=NAME,
        engine="python",
        version=platform.python_version(),
        processor=cpu.name,
        vendor=cpu.vendor,
        supplier="Python",
        kinds=("function",),
        concurrency=64,
        capability="Python functions in this process",
        precisions=("native",),
    )
    return [DeviceStatus(NAME, True, info)]


def open_device(info: DeviceInfo) -> Device:
    return PythonDevice(info)


class PythonDevice:
    """Runs the function itself: one variant, one thread, no precision but the function's own."""

    memory = HOST

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info

    def variants(self, op: Op, specs: Specs) -> Offers:
        if op.kind not in self.info.kinds:
            return Offers(refusals=(Refusal(f"{self.info.name} runs Python functions, not {op.kind} ops"),))
        return Offers((Variant(precision="native"),))

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        return DirectExecutable(op.load())
