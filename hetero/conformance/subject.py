"""The device under test, and how the checks use it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetero import detect, registry
from hetero.conformance.samples import Sample, samples
from hetero.device import Device, DeviceInfo, DeviceStatus, Executable, Precision, Variant
from hetero.errors import DeviceError, UnavailableError, UnknownNameError
from hetero.machine import Processor
from hetero.ops.base import Outputs
from hetero.values import specs_of

__all__ = ["ConformanceError", "Subject", "expect", "relative_error"]

TOLERANCE: dict[Precision, float] = {
    "fp64": 1e-6,
    "fp32": 1e-4,
    "tf32": 1e-2,
    "fp16": 2e-2,
    "bf16": 1e-1,
    "int8": 5e-1,
    "native": 0.0,
}
"""The largest relative L2 difference from the reference that a precision explains on the small samples here."""


class ConformanceError(AssertionError):
    """A device does not do what the interface promises; the message says what was promised and what was found."""


def expect(condition: bool, promise: str) -> None:
    if not condition:
        raise ConformanceError(promise)


@dataclass(frozen=True)
class Subject:
    """An available device, opened as the runtime would open it, with its processor."""

    status: DeviceStatus
    info: DeviceInfo
    processor: Processor
    device: Device

    @classmethod
    def of(cls, name: str) -> Subject:
        """Open a device by its name.

        Raises:
            UnknownNameError: no device is called so; lists those that are.
            UnavailableError: it cannot be used here; says why.
        """
        statuses = {status.name: status for status in registry.devices()}
        if name not in statuses:
            raise UnknownNameError("device", name, statuses)
        return cls.from_status(statuses[name])

    @classmethod
    def from_status(cls, status: DeviceStatus) -> Subject:
        if not status.available or status.info is None:
            raise UnavailableError(str(status))
        processor = status.processor or detect.cpu()
        return cls(status, status.info, processor, registry.open_device(status.info))

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Small real ops of the kinds that the device says it runs."""
        return tuple(sample for kind in self.info.kinds for sample in samples(kind))

    def runs(self) -> Iterator[tuple[Sample, Variant, Executable]]:
        """Every sample in every variant that is offered, compiled; closed when the next one is asked for.

        A device may refuse a sample, at ``variants`` or (an engine that cannot tell before) at ``compile``.
        """
        for sample in self.samples:
            for variant in self.device.variants(sample.op, specs_of(sample.inputs[0])).variants:
                try:
                    executable = self.device.compile(sample.op, variant)
                except DeviceError:
                    continue  # check_compile_errors looks at what it says
                with _closing(executable):
                    yield sample, variant, executable

    def run(self, executable: Executable, inputs: Sequence[Any]) -> Outputs:
        """One call with host values, whatever the device's memory space.

        The device gets copies: one that writes into its inputs must not spoil the samples for the others.
        """
        given = copy.deepcopy(list(inputs))
        outputs = executable.start([self.device.memory.put(value) for value in given]).wait()
        return tuple(self.device.memory.get(value) for value in outputs)

    def compare(self, what: str, variant: Variant, sample: Sample, index: int, outputs: Outputs) -> None:
        """The outputs for the sample's inputs number ``index`` are the reference's, within the precision."""
        expected = sample.reference(index)
        expect(len(outputs) == len(expected), f"{what}: {len(outputs)} outputs, expected {len(expected)}")
        for name, found, right in zip(sample.op.outputs, outputs, expected, strict=True):
            if not isinstance(right, np.ndarray):
                expect(found == right, f"{what}: output {name!r} is {found!r}, expected {right!r}")
                continue
            expect(
                isinstance(found, np.ndarray),
                f"{what}: output {name!r} is a {type(found).__name__}, no array",
            )
            form, right_form = f"{found.dtype}{list(found.shape)}", f"{right.dtype}{list(right.shape)}"
            expect(form == right_form, f"{what}: output {name!r} is {form}, expected {right_form}")
            if not pretends(variant):
                error, allowed = relative_error(found, right), TOLERANCE[variant.precision]
                expect(
                    error <= allowed,
                    f"{what}: error of output {name!r} is {error:.1e}, allowed {allowed:.0e}",
                )


def pretends(variant: Variant) -> bool:
    """Whether the variant stands for one that computes: it declares its time, and says that it is not exact."""
    return variant.declared_seconds is not None and not variant.exact


def relative_error(found: Any, right: Any) -> float:
    """Relative L2 difference; of values that are no floats 0 or infinity."""
    if np.asarray(right).dtype.kind not in "fc":
        return 0.0 if np.array_equal(found, right) else float("inf")
    difference = np.asarray(found, np.complex128) - np.asarray(right, np.complex128)
    return float(np.linalg.norm(difference)) / (float(np.linalg.norm(right)) or 1.0)


@contextmanager
def _closing(executable: Executable) -> Iterator[None]:
    try:
        yield
    finally:
        executable.close()
