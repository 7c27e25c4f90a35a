"""A teaching device that does no work: zeros of the right shapes, in a declared time.

For tests of scheduling and placement: it is a processor of its own that shares the host's memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

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
from hetero.errors import DeviceError
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs
from hetero.values import Specs, TensorSpec, specs_of

NAME = "null0/null"
SECONDS = 0.001
"""What a run is declared to take, told in the variant's setting ``seconds``."""


def probe(cpu: Processor) -> Sequence[DeviceStatus]:
    processor = Processor("null0", kind="null", vendor="hetero", model="no hardware")
    info = DeviceInfo(
        name=NAME,
        engine="null",
        version="1",
        processor=processor.name,
        vendor=processor.vendor,
        supplier="hetero",
        kinds=("onnx", "torch"),
        concurrency=64,
        capability="no work, declared times (for tests)",
    )
    return [DeviceStatus(NAME, True, info, processor)]


def open_device(info: DeviceInfo) -> Device:
    return NullDevice(info)


class NullDevice:
    """Every output is zero, so the variant is not exact."""

    memory = HOST

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info

    def variants(self, op: Op, specs: Specs) -> Offers:
        if op.kind not in self.info.kinds:
            return Offers(refusals=(Refusal(f"{self.info.name} pretends to run models, not {op.kind} ops"),))
        return Offers((Variant(exact=False, settings={"seconds": SECONDS}),))

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        if op.kind not in self.info.kinds:
            raise refuse(self.info.name, op, DeviceError(f"it has no zeros for {op.kind} ops"))
        shapes = _OutputSpecs(op)

        def run(*inputs: Any) -> Outputs:
            return tuple(np.zeros(spec.shape, spec.dtype) for spec in shapes.of(inputs))

        return DirectExecutable(run)


class _OutputSpecs:
    """What the op's outputs look like for given inputs: by inference, else by one reference run for each shape."""

    def __init__(self, op: Op) -> None:
        self._op = op
        self._known: dict[Specs, tuple[TensorSpec, ...]] = {}

    def of(self, inputs: Sequence[Any]) -> tuple[TensorSpec, ...]:
        specs = specs_of(inputs)
        if specs not in self._known:
            found = getattr(self._op, "output_specs", lambda _: None)(specs)
            outputs = found if found is not None else specs_of(self._op.load()(*inputs))
            self._known[specs] = tuple(spec for spec in outputs if isinstance(spec, TensorSpec))
        return self._known[specs]
