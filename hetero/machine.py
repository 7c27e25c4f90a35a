"""The hardware as values: processors, the links between their memories, and the devices on them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hetero.errors import ArgumentError, HeteroError, UnknownNameError
from hetero.files import read_json

if TYPE_CHECKING:
    from hetero.device import DeviceInfo

__all__ = ["Link", "Machine", "Processor"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Processor:
    """A physical thing with capacity, shared by all devices on it.

    ``cores`` is the capacity that tasks hold while they run: the cores this process may use, or 1 for a
    device that runs one task at a time. ``memory_bytes`` None means unlimited or unknown.
    ``idle_watts`` and ``active_watts_per_core`` are what energy is computed from. Cost is ``dollars_per_hour`` of
    hardware (rent, or what was paid, written off over the hours of use) and ``overhead_per_hour`` (staff, space,
    network) for as long as it is held, and its energy, ``pue`` times what the processor takes, at ``dollars_per_kwh``
    (0 where rent holds it). ``grams_per_kwh`` is the carbon dioxide of the grid's electricity, None where unknown.
    One that is ``charged_by_use`` has no rent: each option says what one use costs.
    ``power_source``, ``price_source`` and ``carbon_source`` say where the numbers came from (measured, modelled,
    declared).
    """

    name: str
    kind: str = "cpu"
    cores: int = 1
    memory_bytes: int | None = None
    vendor: str = ""
    model: str = ""
    features: tuple[str, ...] = ()
    memory_space: str = "host"
    idle_watts: float = 0.0
    active_watts_per_core: float = 0.0
    power_source: str = "unknown"
    dollars_per_hour: float = 0.0
    price_source: str = "unknown"
    node: str = ""
    overhead_per_hour: float = 0.0
    dollars_per_kwh: float = 0.0
    pue: float = 1.0
    grams_per_kwh: float | None = None
    carbon_source: str = "unknown"
    charged_by_use: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """Between two memory spaces, in one direction: ``latency_s + nbytes / bytes_per_s``."""

    source: str
    target: str
    latency_s: float
    bytes_per_s: float
    origin: str = "measured"

    def seconds(self, nbytes: float) -> float:
        return self.latency_s + nbytes / self.bytes_per_s


@dataclass(frozen=True)
class Machine:
    """Processors + devices + links: detected, loaded from a file, or made up for a what-if.

    >>> m = Machine(processors=(Processor("cpu", cores=8),))
    >>> m.processor("cpu").cores
    8
    >>> m.link("host", "gpu0") is None
    True
    """

    processors: tuple[Processor, ...]
    devices: tuple[DeviceInfo, ...] = ()
    links: tuple[Link, ...] = ()
    origin: str = field(default="declared", compare=False)

    def __post_init__(self) -> None:
        names = [p.name for p in self.processors]
        for name in names:
            if names.count(name) > 1:
                raise ArgumentError(f"machine: processor {name!r} is listed twice; names must be unique")
            _require_numbers(f"processor {name!r}", self.processor(name), _PROCESSOR_NUMBERS)
        for device in self.devices:
            if device.processor not in names:
                raise UnknownNameError(f"processor of device {device.name!r}", device.processor, names)
            _require_numbers(f"device {device.name!r}", device, _DEVICE_NUMBERS)
        for link in self.links:
            _require_numbers(f"link {link.source!r} -> {link.target!r}", link, _LINK_NUMBERS)

    def processor(self, name: str) -> Processor:
        for candidate in self.processors:
            if candidate.name == name:
                return candidate
        raise UnknownNameError("processor", name, (p.name for p in self.processors))

    def device(self, name: str) -> DeviceInfo:
        for candidate in self.devices:
            if candidate.name == name:
                return candidate
        raise UnknownNameError("device", name, (d.name for d in self.devices))

    def processor_of(self, device: str) -> Processor:
        return self.processor(self.device(device).processor)

    def link(self, source: str, target: str) -> Link | None:
        """The direct link between two memory spaces, or None."""
        return next((k for k in self.links if (k.source, k.target) == (source, target)), None)

    def with_links(self, *links: Link) -> Machine:
        """The same machine with these links added or replaced."""
        new = {(k.source, k.target): k for k in (*self.links, *links)}
        return replace(self, links=tuple(new.values()))

    def differences(self, other: Machine) -> list[str]:
        """What of this machine is missing or different in another: models, cores, features, engines, versions.

        What the other one has beside it does not matter.
        """
        found: list[str] = []
        theirs = {p.name: p for p in other.processors}
        for mine in self.processors:
            its = theirs.get(mine.name)
            if its is None:
                found.append(f"processor {mine.name} is missing")
                continue
            for attribute in ("model", "cores", "features"):
                a, b = getattr(mine, attribute), getattr(its, attribute)
                if a != b:
                    found.append(f"{mine.name}.{attribute}: {a!r} -> {b!r}")
        others = {d.name: d for d in other.devices}
        for device in self.devices:
            if device.name not in others:
                found.append(f"device {device.name} is missing")
                continue
            for attribute in _DEVICE_IDENTITY:
                a, b = getattr(device, attribute), getattr(others[device.name], attribute)
                if a != b:
                    found.append(f"device {device.name}: {attribute} {a} -> {b}")
        return found

    def to_dict(self) -> dict[str, Any]:
        return {
            "version": 1,
            "processors": [asdict(p) for p in self.processors],
            "devices": [asdict(d) for d in self.devices],
            "links": [asdict(k) for k in self.links],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Machine:
        from hetero.device import DeviceInfo  # device.py needs Processor: one direction at import time

        try:
            if data.get("version", 1) != 1:
                raise ArgumentError(
                    f"a machine file of version {data['version']}; this hetero reads version 1"
                )
            return cls(
                processors=tuple(_typed(Processor, p) for p in data["processors"]),
                devices=tuple(_typed(DeviceInfo, d) for d in data.get("devices", ())),
                links=tuple(_typed(Link, k) for k in data.get("links", ())),
                origin="loaded",
            )
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise ArgumentError(f"not a machine file: {error}") from error

    def save(self, path: str | Path) -> None:
        from hetero.files import write_atomically

        write_atomically(path, json.dumps(self.to_dict(), indent=1).encode())

    @classmethod
    def load(cls, path: str | Path) -> Machine:
        """Read a machine that ``save`` or a person wrote.

        Raises:
            OSError: the file cannot be read.
            ArgumentError: it describes no machine; names the place.
        """
        try:
            data = read_json(path)
            if not isinstance(data, dict):
                raise ArgumentError(
                    f"not a machine file: expected an object with processors, found {data!r:.60}"
                )
            return cls.from_dict(data)
        except (ValueError, RecursionError, HeteroError) as error:
            raise ArgumentError(f"{path}: {error}") from error

    @classmethod
    def detect(cls) -> Machine:
        """This machine as this process may use it: affinity, cgroup quota and memory limit, devices found."""
        from hetero.registry import detect_machine  # a door: the registry stands above this room

        return detect_machine()

    @classmethod
    def from_ray(cls, address: str | None = None) -> Machine:
        """A Ray cluster: every living node with its processors and devices, and the links between nodes, measured.

        Raises:
            UnavailableError: there is no cluster at the address (None: on this computer).
            MissingExtraError: ``pip install 'hetero[ray]'`` is needed.
        """
        from hetero.run.ray_machine import machine_from_ray  # a door: what runs stands above this room

        return machine_from_ray(address)


_PROCESSOR_NUMBERS = {
    "cores": 1,
    "memory_bytes": 0,
    "idle_watts": 0,
    "active_watts_per_core": 0,
    "dollars_per_hour": 0,
    "overhead_per_hour": 0,
    "dollars_per_kwh": 0,
    "pue": 1,
    "grams_per_kwh": 0,
}
_DEVICE_IDENTITY = (
    "engine",
    "version",
    "driver",
    "processor",
    "memory_space",
    "isolation",
    "concurrency",
    "kinds",
)
"""What a plan takes for granted of a device that it uses."""
_DEVICE_NUMBERS = {"concurrency": 1, "max_threads": 1, "memory_bytes": 0}
_LINK_NUMBERS = {"latency_s": 0, "bytes_per_s": 1e-9}
"""The least that each may be; none may be NaN or infinite, which would pass every comparison in a schedule."""


def _require_numbers(who: str, thing: object, least: Mapping[str, float]) -> None:
    for name, smallest in least.items():
        value = getattr(thing, name)
        if value is not None and not (math.isfinite(value) and value >= smallest):
            raise ArgumentError(
                f"machine: {who}: {name}={value!r}, expected a finite number of at least {smallest}"
            )


def _typed(kind: type[_T], given: Mapping[str, Any]) -> _T:
    """One entry of a file. A field that there is not is a typing error, which would change nothing unseen."""
    from msgspec import convert  # only files need it

    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # all three are dataclasses
    for name in given:
        if name not in names:
            raise UnknownNameError(f"field of a {kind.__name__}", name, names)
    return convert(given, kind)
