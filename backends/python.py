"""Python functions, called as they are: in this process, or each call in one of several worker processes."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import replace

from hetero import blas_threads
from hetero.device import (
    HOST,
    Device,
    DeviceInfo,
    DeviceStatus,
    DirectExecutable,
    Offers,
    Refusal,
    Variant,
    wrong_kind,
)
from hetero.machine import Processor
from hetero.ops.base import Op
from hetero.ops.function import FunctionOp
from hetero.values import Specs

NAME = "cpu/python"
APART = "cpu/python-process"


def probe(cpu: Processor) -> Sequence[DeviceStatus]:
    here = DeviceInfo(
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
    found = [here]
    if cpu.cores > 1:  # on a single core there is nothing to run beside
        capability = (
            "slow Python functions, each call in a worker process without this one's interpreter lock"
        )
        found.append(
            replace(here, name=APART, isolation="process", concurrency=cpu.cores, capability=capability)
        )
    return [DeviceStatus(info.name, True, info) for info in found]


def open_device(info: DeviceInfo) -> Device:
    return PythonDevice(info)


class PythonDevice:
    """Runs the function itself: one variant, one thread, no precision but the function's own.

    While one is open, BLAS in this process has one thread.
    """

    memory = HOST

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info

    def variants(self, op: Op, specs: Specs) -> Offers:
        if op.kind not in self.info.kinds:
            return Offers(refusals=(wrong_kind(self.info, op, "Python functions"),))
        if op.effects != "pure" and self.info.isolation == "process":
            return Offers(refusals=(Refusal("its effects are on this process"),))
        if isinstance(op, FunctionOp) and op.generates and self.info.isolation == "process":
            return Offers(
                refusals=(Refusal("what a generator yields is given out as it is made, by this process"),)
            )
        # Profiles are kept by variant: what a call takes in another process is not what it takes here.
        settings = {"process": True} if self.info.isolation == "process" else {}
        return Offers((Variant(precision="native", settings=settings),))

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        run = op.load()
        return DirectExecutable(run, on_close=blas_threads.hold())
