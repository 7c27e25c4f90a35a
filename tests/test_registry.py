"""Which devices are known: rows, entry points, and how a family that fails is told apart from one that is absent."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from fake_devices import FakeBackend, Register

import hetero as ht
from hetero import registry
from hetero.device import DeviceStatus
from hetero.errors import DeviceError, MissingExtraError, UnavailableError, UnknownNameError
from hetero.machine import Processor
from hetero.registry import Row


def only(monkeypatch: pytest.MonkeyPatch, *rows: Row) -> None:
    """A registry of these rows."""
    monkeypatch.setattr(registry, "_BUILT_IN", rows)
    monkeypatch.setattr(registry, "_added", {})
    monkeypatch.setattr(registry, "entry_points", lambda group: [])


def test_every_known_device_has_a_status() -> None:
    """Available, or a reason; what is available describes itself; each name once."""
    statuses = ht.devices()
    names = [status.name for status in statuses]
    assert len(names) == len(set(names))
    assert {"cpu/python", "cpu/reference"} <= set(names)
    for status in statuses:
        assert status.name in str(status)
        assert status.available or status.reason
        if status.info is not None:
            assert status.info.name == status.name


def test_listing_devices_imports_no_engine() -> None:
    """A row is facts: engines are loaded when a device is opened."""
    script = (
        "import sys, hetero as ht; ht.devices();"
        "print([m for m in ('onnxruntime', 'openvino', 'torch', 'qiskit', 'qiskit_aer', 'onnx') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"


def test_a_package_that_is_missing_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the status, and as an error where the family is asked for."""
    row = Row("absent", "hetero.backends.absent", "cpu/absent", ("no_such_package",), "onnx")
    only(monkeypatch, row)
    (status,) = ht.devices()
    assert str(status) == (
        "cpu/absent: not available, the package 'no_such_package' is not installed (pip install 'hetero[onnx]')"
    )
    with pytest.raises(MissingExtraError, match="no_such_package"):
        registry.backend(row)


def broken(monkeypatch: pytest.MonkeyPatch, error: Exception) -> Row:
    module: Any = types.ModuleType("broken_backend")

    def probe(cpu: Processor) -> Sequence[DeviceStatus]:
        raise error

    module.probe = probe
    monkeypatch.setitem(sys.modules, "broken_backend", module)
    return Row("broken", "broken_backend", "cpu/broken")


@pytest.mark.parametrize(
    "error",
    [
        OSError("libfoo.so not found"),
        ImportError("no"),
        RuntimeError("driver"),
        AttributeError("x"),
        ValueError("y"),
    ],
)
def test_a_family_that_fails_to_probe_does_not_hide_the_others(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its status keeps the reason, whatever a driver or a third party's package raises."""
    python = registry._BUILT_IN[0]
    only(monkeypatch, broken(monkeypatch, error), python)
    first, second, *_ = ht.devices()
    assert not first.available
    assert str(error) in first.reason
    assert second.available


@pytest.mark.parametrize("path", ["no_such_module", "hetero.errors:nothing", "hetero.errors"])
def test_an_entry_point_that_leads_nowhere_says_so(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing module, a missing object, or a module without the two functions of a backend."""
    only(monkeypatch, Row("lost", path, "cpu/lost"))
    (status,) = ht.devices()
    assert not status.available
    assert "lost" in str(status)
    assert status.reason


def test_a_backend_that_cannot_be_imported_is_a_device_error() -> None:
    """It names the family and its path."""
    with pytest.raises(DeviceError, match=r"'lost' \(no_such_module\) cannot be loaded"):
        registry.backend(Row("lost", "no_such_module", "cpu/lost"))


def test_entry_points_add_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of their names, after the built-in ones; the value may name an object of a module."""
    family = FakeBackend("zeta")
    module: Any = types.ModuleType("third_party")
    module.family = family
    monkeypatch.setitem(sys.modules, "third_party", module)
    points = [
        EntryPoint("zeta", "third_party:family", "hetero.devices"),
        EntryPoint("alpha", "nowhere", "hetero.devices"),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    assert [row.engine for row in registry.rows()][-2:] == ["alpha", "zeta"]
    status = next(s for s in ht.devices() if s.name == "cpu/zeta")
    assert status.available
    assert status.info is not None
    assert registry.open_device(replace(status.info)).info == status.info


def test_a_device_is_opened_once(register: Register) -> None:
    """The same description gives the same device."""
    register(FakeBackend("single"))
    info = ht.Machine.detect().device("cpu/single")
    assert registry.open_device(info) is registry.open_device(replace(info))


def test_an_unknown_engine_lists_those_there_are(register: Register) -> None:
    """A machine file may describe a device whose engine is not installed here."""
    register(FakeBackend("single"))
    info = replace(ht.Machine.detect().device("cpu/single"), engine="nothing")
    with pytest.raises(UnknownNameError, match=r"unknown engine 'nothing'.*single"):
        registry.open_device(info)


def test_a_device_that_cannot_be_opened_says_so(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the device's name and the cause."""
    family = register(FakeBackend("stuck"))
    info = ht.Machine.detect().device("cpu/stuck")

    def fail(_: Any) -> Any:
        raise OSError("in use by another process")

    monkeypatch.setattr(family, "open_device", fail)
    with pytest.raises(UnavailableError, match="cpu/stuck cannot be opened: in use"):
        registry.open_device(info)


def test_teaching_devices_are_detected_on_request_only() -> None:
    """No plan meets them by accident."""
    assert "reference" not in {d.engine for d in registry.detect_machine().devices}
    assert "reference" in {d.engine for d in registry.detect_machine(teaching=True).devices}
