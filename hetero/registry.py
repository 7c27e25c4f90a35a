"""Which devices are known: name -> where the code is, what it needs, how to install it.

A row costs nothing until it is used: listing devices imports no engine. Third parties add rows by an entry point of
group ``hetero.devices`` whose value is a module (or object) with the two functions of ``hetero.device.Backend``.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from hetero import detect
from hetero.cost.energy import with_power
from hetero.cost.price import with_price
from hetero.device import Backend, Device, DeviceInfo, DeviceStatus
from hetero.errors import DeviceError, HeteroError, MissingExtraError, UnavailableError, UnknownNameError
from hetero.machine import Machine, Processor

__all__ = ["Row", "add_row", "backend", "detect_machine", "devices", "open_device", "remove_row", "rows"]

log = logging.getLogger("hetero.registry")


@dataclass(frozen=True, slots=True)
class Row:
    """A device family. ``path`` is the dotted path of its backend; ``packages`` are what it imports.

    ``teaching`` families are available to whoever names them, and to no plan by default.
    """

    engine: str
    path: str
    device: str
    packages: tuple[str, ...] = ()
    extra: str = ""
    teaching: bool = False

    @property
    def install(self) -> str:
        return f"pip install 'hetero[{self.extra}]'" if self.extra else ""


_BUILT_IN = (
    Row("python", "hetero.backends.python", "cpu/python"),
    Row("onnxruntime", "hetero.backends.onnxruntime", "cpu/onnxruntime", ("onnx", "onnxruntime"), "onnx"),
    Row("openvino", "hetero.backends.openvino", "cpu/openvino", ("onnx", "openvino"), "openvino"),
    Row("torch", "hetero.backends.torch", "cpu/torch", ("torch",), "torch"),
    Row(
        "webgpu",
        "hetero.backends.webgpu",
        "gpu0/webgpu",
        ("onnx", "onnxruntime", "onnxruntime_ep_webgpu"),
        "gpu",
    ),
    Row("aer", "hetero.backends.aer", "cpu/aer", ("qiskit", "qiskit_aer"), "quantum"),
    Row("ddsim", "hetero.backends.ddsim", "cpu/ddsim", ("qiskit", "mqt.ddsim"), "quantum"),
    Row("stim", "hetero.backends.stim", "cpu/stim", ("qiskit", "stim"), "quantum"),
    Row("statevector", "hetero.backends.statevector", "cpu/statevector", ("qiskit",), "quantum"),
    Row("reference", "hetero.backends.reference", "cpu/reference", teaching=True),
    Row("null", "hetero.backends.null", "null0/null", teaching=True),
    Row(
        "foreign",
        "hetero.backends.foreign",
        "foreign0/foreign",
        ("onnx", "onnxruntime"),
        "onnx",
        teaching=True,
    ),
)


_added: dict[str, Row] = {}
"""By engine: families that have something to show in this process only."""


def rows() -> tuple[Row, ...]:
    """The built-in families, those of entry points, and those added, in a fixed order."""
    extra = sorted(entry_points(group="hetero.devices"), key=lambda point: point.name)
    return (*_BUILT_IN, *(_row_of(point) for point in extra), *_added.values())


def add_row(row: Row) -> None:
    """Make a family known to this process: one whose devices a user hands over as objects, and no probe could find."""
    _added[row.engine] = row


def remove_row(engine: str) -> None:
    """Forget an added family, if it is known: its last device was taken away."""
    _added.pop(engine, None)


def _row_of(point: EntryPoint) -> Row:
    return Row(engine=point.name, path=point.value, device=point.name)


def backend(row: Row) -> Backend:
    """The module or object that a row names.

    Raises:
        MissingExtraError: a package that it imports is not installed.
        DeviceError: it cannot be imported.
    """
    missing = _missing(row)
    if missing:
        raise MissingExtraError(row.device, missing, row.extra)
    module, _, attribute = row.path.partition(":")
    try:
        found = importlib.import_module(module)
        return cast(Backend, getattr(found, attribute) if attribute else found)
    except (ImportError, AttributeError) as error:
        raise DeviceError(f"device family {row.engine!r} ({row.path}) cannot be loaded: {error}") from error


def _missing(row: Row) -> str | None:
    return next((package for package in row.packages if not _installed(package)), None)


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # the parent of a dotted name is missing
        return False


def devices() -> tuple[DeviceStatus, ...]:
    """Every known device: available, or the reason why not and what to install.

    >>> import hetero as ht
    >>> any("cpu/python" in str(status) for status in ht.devices())
    True
    """
    cpu = detect.cpu()
    return tuple(status for row in rows() for status in statuses(row, cpu))


def statuses(row: Row, cpu: Processor) -> tuple[DeviceStatus, ...]:
    """The devices of one family."""
    missing = _missing(row)
    if missing:
        reason = f"the package {missing!r} is not installed"
        return (DeviceStatus(row.device, False, reason=reason, install=row.install),)
    try:
        return tuple(backend(row).probe(cpu))
    except (
        Exception
    ) as error:  # a driver or a third party's package may raise anything, and the others stay usable
        log.warning("probing %s failed", row.engine, exc_info=error)
        reason = str(error) if isinstance(error, HeteroError) else f"{type(error).__name__}: {error}"
        return (DeviceStatus(row.device, False, reason=f"probing failed: {reason}", install=row.install),)


def available(*, teaching: bool = False) -> Iterator[DeviceStatus]:
    """The devices that can be used here."""
    cpu = detect.cpu()
    for row in rows():
        if teaching or not row.teaching:
            yield from (status for status in statuses(row, cpu) if status.available)


def detect_machine(*, teaching: bool = False) -> Machine:
    """This machine as this process may use it. Teaching devices are left out unless asked for."""
    processors = {"cpu": detect.cpu()}
    infos: list[DeviceInfo] = []
    for status in available(teaching=teaching):
        assert status.info is not None, f"{status.name} is available, so it must describe itself"
        infos.append(status.info)
        if status.processor is not None:
            processors[status.processor.name] = with_price(with_power(status.processor))
    return Machine(tuple(processors.values()), tuple(infos), origin="detected")


@cache
def open_device(info: DeviceInfo) -> Device:
    """The device that ``info`` describes, opened once a process. Loads its engine.

    A device with an isolation of its own comes as a proxy of itself in a thread or worker process.

    Raises:
        UnavailableError: it cannot be opened here.
    """
    if info.isolation == "inline":
        return open_here(info)
    if info.isolation == "process" and info.concurrency > 1 and info.memory_space == "host":
        from hetero.pool import PoolDevice

        return PoolDevice(info)
    from hetero.isolation import isolated

    return isolated(info)


def open_here(info: DeviceInfo) -> Device:
    """As ``open_device``, in this process whatever its isolation: what a worker process calls."""
    row = next((row for row in rows() if row.engine == info.engine), None)
    if row is None:
        raise UnknownNameError("engine", info.engine, (row.engine for row in rows()))
    try:
        return backend(row).open_device(info)
    except (ImportError, OSError) as error:
        raise UnavailableError(f"device {info.name} cannot be opened: {error}") from error
