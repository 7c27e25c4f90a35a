"""The conformance suite finds the faults that it is there to find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hetero import detect
from hetero.backends.reference import ReferenceDevice, probe
from hetero.conformance import ConformanceError, Subject, checks
from hetero.conformance.__main__ import main
from hetero.device import (
    Device,
    DeviceInfo,
    DeviceStatus,
    DirectExecutable,
    Executable,
    Offers,
    Pending,
    Refusal,
    Variant,
)
from hetero.errors import UnavailableError, UnknownNameError
from hetero.ops.base import Op, Outputs
from hetero.values import Specs


def subject_of(kind: type[ReferenceDevice], **changes: Any) -> Subject:
    """A device of this class under test, its info changed where asked."""
    status = probe(detect.cpu())[0]
    assert status.info is not None
    info = replace(status.info, kinds=("onnx",), **changes)
    return Subject(replace(status, info=info), info, detect.cpu(), kind(info))


class Honest(ReferenceDevice):
    """Nothing wrong with it."""


class _Altered(ReferenceDevice):
    """Passes each result through a function that spoils it."""

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        run = op.load()
        return DirectExecutable(lambda *inputs: self.spoil(inputs, run(*inputs)))

    def spoil(self, inputs: Sequence[Any], outputs: Outputs) -> Outputs:
        raise NotImplementedError


class Wrong(_Altered):
    def spoil(self, inputs: Sequence[Any], outputs: Outputs) -> Outputs:
        return tuple(output * np.float32(1.01) for output in outputs)


class Wider(_Altered):
    def spoil(self, inputs: Sequence[Any], outputs: Outputs) -> Outputs:
        return tuple(output.astype(np.float64) for output in outputs)


class Overwriting(_Altered):
    """Gives the same buffer for every call, as an engine does whose outputs are shared."""

    def __init__(self, info: DeviceInfo) -> None:
        super().__init__(info)
        self._buffer = np.zeros(10_000, np.float32)

    def spoil(self, inputs: Sequence[Any], outputs: Outputs) -> Outputs:
        shared = []
        for output in outputs:
            view = self._buffer[: output.size].reshape(output.shape)
            view[...] = output
            shared.append(view)
        return tuple(shared)


class Scribbling(_Altered):
    def spoil(self, inputs: Sequence[Any], outputs: Outputs) -> Outputs:
        for value in inputs:
            if isinstance(value, np.ndarray) and value.dtype == np.float32:
                value += 1
        return outputs


class Immortal(ReferenceDevice):
    class _Executable:
        def __init__(self, inner: DirectExecutable) -> None:
            self._inner = inner

        def start(self, inputs: Sequence[Any]) -> Pending:
            return self._inner.start(inputs)

        def close(self) -> None:
            pass

    def compile(self, op: Op, variant: Variant) -> Executable:  # type: ignore[override]
        return self._Executable(super().compile(op, variant))


class Silent(ReferenceDevice):
    def variants(self, op: Op, specs: Specs) -> Offers:
        offers = super().variants(op, specs)
        return offers if offers.variants else Offers(refusals=(Refusal(""),))


class Refusing(ReferenceDevice):
    def variants(self, op: Op, specs: Specs) -> Offers:
        return Offers(refusals=(Refusal("not today"),))


class Doubled(ReferenceDevice):
    def variants(self, op: Op, specs: Specs) -> Offers:
        return Offers(super().variants(op, specs).variants * 2)


class Raw(ReferenceDevice):
    """Lets the engine's own error out."""

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        return DirectExecutable(op.load())


FAULTS: list[tuple[type[ReferenceDevice], Callable[[Subject], None], str]] = [
    (Wrong, checks.check_results, "error of output"),
    (Wider, checks.check_results, "float64"),
    (Refusing, checks.check_results, "refused every sample"),
    (Overwriting, checks.check_repeats, "changed by a later call"),
    (Scribbling, checks.check_repeats, "changed its inputs"),
    (Immortal, checks.check_close, "still ran after close"),
    (Silent, checks.check_refusals, "no reason"),
    (Doubled, checks.check_variants, "not distinct"),
    (Raw, checks.check_compile_errors, "expected DeviceError"),
]


@pytest.mark.parametrize(("kind", "check", "message"), FAULTS, ids=[kind.__name__ for kind, _, _ in FAULTS])
def test_a_faulty_device_is_found(
    kind: type[ReferenceDevice], check: Callable[[Subject], None], message: str
) -> None:
    """Each kind of fault fails the check that is about it, with a message that says what was found."""
    check(subject_of(Honest))
    with pytest.raises(ConformanceError, match=message):
        check(subject_of(kind))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": ""}, "info.version is empty"),
        ({"name": "reference"}, "expected 'place/engine'"),
        ({"concurrency": 0}, "concurrency"),
        ({"isolation": "somewhere"}, "isolation"),
        ({"memory_space": "gpu0"}, "space"),
        ({"processor": "npu0"}, "processor"),
    ],
)
def test_an_incomplete_description_is_found(changes: dict[str, Any], message: str) -> None:
    """A field that is empty or contradicts the device fails the check of the description."""
    with pytest.raises(ConformanceError, match=message):
        checks.check_info(subject_of(Honest, **changes))


def test_unknown_and_unavailable_devices_are_errors() -> None:
    """A subject cannot be made of a device that does not exist, or that cannot be used here."""
    with pytest.raises(UnknownNameError, match="cpu/python"):
        Subject.of("cpu/pyton")
    with pytest.raises(UnavailableError, match="no such card"):
        Subject.from_status(DeviceStatus("npu0/abacus", False, reason="no such card"))


def test_the_command_names_unknown_devices(capsys: pytest.CaptureFixture[str]) -> None:
    """``python -m hetero.conformance cpu/pyton`` ends with status 2 and lists what exists."""
    assert main(["cpu/pyton"]) == 2
    assert "did you mean 'cpu/python'" in capsys.readouterr().err


def test_the_command_passes_a_good_device(capsys: pytest.CaptureFixture[str]) -> None:
    """Its status is 0 and it prints a line for each check."""
    assert main(["cpu/python"]) == 0
    assert capsys.readouterr().out.count("ok") == len(checks.CHECKS)


def test_every_device_is_a_device() -> None:
    """The class that the checks are tried on has the interface they are about."""
    assert isinstance(subject_of(Honest).device, Device)
