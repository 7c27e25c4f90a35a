"""Hardware counters of energy: RAPL through Linux's powercap for CPUs, NVML for NVIDIA's GPUs.

RAPL is read from the files that the kernel keeps, which need no library: ``/sys/class/powercap``. Its counters are
of a whole package and of its memory, wrap around, and are often readable by root only. NVML counts the energy of a
GPU since its driver was loaded (Volta and later), read by NVIDIA's own package (``pip install 'hetero[gpu]'``).

Counters are of the whole machine: what else ran meanwhile is in them.
"""

from __future__ import annotations

import importlib
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Counter", "Domain", "counter", "nvml_domains", "rapl_domains"]

_log = logging.getLogger(__name__)

POWERCAP = Path("/sys/class/powercap")


class Domain(Protocol):
    """One counter: ``package-0``, ``dram``, ``GPU 0``."""

    @property
    def name(self) -> str: ...

    def joules(self) -> float:
        """A reading; only differences of two mean anything."""
        ...

    def between(self, before: float, after: float) -> float:
        """Joules from one reading to a later one."""
        ...


@dataclass(frozen=True, slots=True)
class _Rapl:
    name: str
    folder: Path
    range_joules: float

    def joules(self) -> float:
        return int((self.folder / "energy_uj").read_text()) * 1e-6

    def between(self, before: float, after: float) -> float:
        """At most one turn: a package at full power takes minutes for it."""
        return after - before if after >= before else after - before + self.range_joules


@dataclass(frozen=True, slots=True)
class _Nvml:
    name: str
    read_mj: Callable[[], int]

    def joules(self) -> float:
        return self.read_mj() * 1e-3

    def between(self, before: float, after: float) -> float:
        return after - before


class Counter:
    """Joules of all domains together between ``begin`` and ``end``."""

    def __init__(self, domains: Sequence[Domain]) -> None:
        self._domains = tuple(domains)
        self._before: list[float] = []

    @property
    def source(self) -> str:
        """What is counted: ``counted: package-0, dram, GPU 0``."""
        return f"counted: {', '.join(domain.name for domain in self._domains)}"

    def begin(self) -> None:
        self._before = [domain.joules() for domain in self._domains]

    def end(self) -> float:
        after = [domain.joules() for domain in self._domains]
        readings = zip(self._domains, self._before, after, strict=True)
        return math.fsum(domain.between(before, now) for domain, before, now in readings)


def counter(root: Path = POWERCAP) -> Counter | None:
    """All counters that this process may read; None where there are none."""
    domains = [*rapl_domains(root), *nvml_domains()]
    return Counter(domains) if domains else None


def rapl_domains(root: Path = POWERCAP) -> list[Domain]:
    """Packages and their memory, each counted once.

    Cores and graphics are parts of a package and are left out, as is ``psys``, which is all of them again.
    """
    found: list[Domain] = []
    for folder in sorted(root.glob("intel-rapl:*")) if root.is_dir() else ():
        try:
            name = (folder / "name").read_text().strip()
            if not name.startswith(("package", "dram")):
                continue
            domain = _Rapl(name, folder, int((folder / "max_energy_range_uj").read_text()) * 1e-6)
            domain.joules()
        except (OSError, ValueError) as error:  # no permission to read it, or no number in it
            _log.info("no energy counter in %s: %s", folder, error)
            continue
        found.append(domain)
    return found


def nvml_domains() -> list[Domain]:
    """The GPUs that count their energy, by their NVML number."""
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return []
    found: list[Domain] = []
    try:
        nvml.nvmlInit()
        handles = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError as error:  # no driver
        _log.info("no energy counter of a GPU: %s", error)
        return []
    for number, handle in enumerate(handles):
        try:
            nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        except nvml.NVMLError as error:  # older than Volta
            _log.info("GPU %d does not count its energy: %s", number, error)
            continue
        found.append(_Nvml(f"GPU {number}", _reader(nvml, handle)))
    return found


def _reader(nvml: Any, handle: Any) -> Callable[[], int]:
    return lambda: int(nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
