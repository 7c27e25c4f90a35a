"""A teaching device whose tensors are kept out of host memory.

It computes on the host like the reference, but takes and gives only tensors that hide their arrays: whoever forgets
a transfer gets an error instead of a right answer. It stands for a GPU where transfers and placement are tested.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from hetero.device import (
    Device,
    DeviceInfo,
    DeviceStatus,
    DirectExecutable,
    Memory,
    Offers,
    Variant,
    refuse,
    wrong_kind,
)
from hetero.errors import DeviceError, HeteroError
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs
from hetero.values import Specs

NAME = "foreign0/foreign"
SPACE = "foreign"


class ForeignTensor:
    """A value of the foreign space. Only its memory can open it."""

    __slots__ = ("_hidden",)

    def __init__(self, value: Any) -> None:
        self._hidden = value

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        # without this NumPy would make an array of one Python object out of it, and nobody would notice
        raise DeviceError(
            f"a tensor of memory space {SPACE!r} was used on the host; get it through its memory"
        )

    def __repr__(self) -> str:
        return "<a value in foreign memory>"


class ForeignMemory:
    """Copies values in and out, and counts how often."""

    space = SPACE

    def __init__(self) -> None:
        self.puts = 0
        self.gets = 0
        self._lock = threading.Lock()

    def put(self, value: Any) -> ForeignTensor:
        if isinstance(value, ForeignTensor):
            raise DeviceError(f"a value that is in memory space {SPACE!r} already was put there again")
        with self._lock:
            self.puts += 1
        return ForeignTensor(copy.deepcopy(value))

    def get(self, value: Any) -> Any:
        if not isinstance(value, ForeignTensor):
            raise DeviceError(
                f"a {type(value).__name__} of the host was read as a value of memory space {SPACE!r}"
            )
        with self._lock:
            self.gets += 1
        return copy.deepcopy(value._hidden)


MEMORY = ForeignMemory()
"""Devices of one space share one memory."""


def probe(cpu: Processor) -> Sequence[DeviceStatus]:
    processor = Processor(
        "foreign0", kind="foreign", vendor="hetero", model="memory apart from the host's", memory_space=SPACE
    )
    info = DeviceInfo(
        name=NAME,
        engine="foreign",
        version="1",
        processor=processor.name,
        vendor=processor.vendor,
        supplier="hetero",
        kinds=("onnx", "torch"),
        memory_space=SPACE,
        capability="reference runs on tensors outside of host memory (for tests)",
    )
    return [DeviceStatus(NAME, True, info, processor)]


def open_device(info: DeviceInfo) -> Device:
    return ForeignDevice(info)


class ForeignDevice:
    """Runs models by their reference, on what its tensors hide."""

    memory: Memory = MEMORY

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info

    def variants(self, op: Op, specs: Specs) -> Offers:
        if op.kind not in self.info.kinds:
            return Offers(refusals=(wrong_kind(self.info, op, "models"),))
        return Offers((Variant(),))

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        try:
            reference = op.load()
        except HeteroError as error:
            raise refuse(self.info.name, op, error) from error
        name = self.info.name

        def run(*inputs: Any) -> Outputs:
            for key, value in zip(op.inputs, inputs, strict=True):
                if not isinstance(value, ForeignTensor):
                    raise DeviceError(
                        f"{name}, {op.kind} {op.name!r}: input {key!r} is a {type(value).__name__} in host memory; "
                        f"expected a value of memory space {SPACE!r}"
                    )
            outputs = reference(*(value._hidden for value in inputs))
            return tuple(ForeignTensor(np.array(output)) for output in outputs)

        return DirectExecutable(run)
