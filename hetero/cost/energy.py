"""Energy: from counters where there are any, else from a model that says that it is one.

The model is ``idle watts x wall seconds + active watts per core x core seconds``. Idle power is paid whether
or not anything runs, so it belongs to the plan's wall time and not to any task.
"""

from __future__ import annotations

import importlib
import logging
import re
from dataclasses import dataclass, replace
from typing import Any, Protocol

from hetero.machine import Processor

__all__ = ["EnergyCounter", "Power", "counter", "gpu_power_of", "joules", "power_of", "with_power"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Power:
    """Watts of a processor: idle, and on top of that for each busy core; and where the numbers are from."""

    idle_watts: float
    active_watts_per_core: float
    source: str


@dataclass(frozen=True, slots=True)
class _Rated:
    """A processor's design power and the hardware threads that share it (a GPU counts as one)."""

    pattern: str
    watts: float
    threads: int
    source: str


_AMD_2021 = "AMD EPYC 7003 data sheet (2021)"
_AMD_2022 = "AMD EPYC 9004 data sheet (2022)"
_INTEL = "Intel ARK"
_CPUS = (
    _Rated(r"EPYC 7763", 280, 128, _AMD_2021),
    _Rated(r"EPYC 7713", 225, 128, _AMD_2021),
    _Rated(r"EPYC 7543", 225, 64, _AMD_2021),
    _Rated(r"EPYC 7513", 200, 64, _AMD_2021),
    _Rated(r"EPYC 9654", 360, 192, _AMD_2022),
    _Rated(r"EPYC 9554", 360, 128, _AMD_2022),
    _Rated(r"Platinum 8380", 270, 80, _INTEL),
    _Rated(r"Platinum 8358", 250, 64, _INTEL),
    _Rated(r"Platinum 8480", 350, 112, _INTEL),
    _Rated(r"Platinum 8490H", 350, 120, _INTEL),
    _Rated(r"Platinum 8592", 350, 128, _INTEL),
)
_IDLE_WATTS_PER_VCPU, _FULL_WATTS_PER_VCPU = 0.74, 3.5
_CLOUD_AVERAGE = (
    "modelled: Cloud Carbon Footprint methodology, average server share of a cloud vCPU, "
    f"{_IDLE_WATTS_PER_VCPU} W idle to {_FULL_WATTS_PER_VCPU} W busy"
)
_NVIDIA = "NVIDIA data sheet"
_GPUS = (
    _Rated(r"H[12]00.*PCIe", 350, 1, _NVIDIA),
    _Rated(r"H[12]00", 700, 1, _NVIDIA),
    _Rated(r"A100.*PCIe", 300, 1, _NVIDIA),
    _Rated(r"A100", 400, 1, _NVIDIA),
    _Rated(r"L40S", 350, 1, _NVIDIA),
    _Rated(r"A10G?\b", 150, 1, _NVIDIA),
    _Rated(r"\bL4\b", 72, 1, _NVIDIA),
    _Rated(r"\bT4\b", 70, 1, _NVIDIA),
    _Rated(r"RTX 4090", 450, 1, _NVIDIA),
)
_UNKNOWN_GPU = _Rated("", 150, 1, "assumed for a GPU that is not in the table; declare its watts")
_GPU_IDLE_SHARE = 0.12
"""Idle over full power of data center GPUs, after the data set of Teads (2021) that Cloud Carbon Footprint
uses."""
_IDLE_SHARE = _IDLE_WATTS_PER_VCPU / _FULL_WATTS_PER_VCPU


def power_of(model: str, cores: int) -> Power:
    """The modelled power of this many cores (hardware threads) of a CPU.

    A known model's design power is shared evenly by its threads, the idle part of it as in the servers that
    Cloud Carbon Footprint averaged; of an unknown one that average is taken.

    >>> power_of("AMD EPYC 7763 64-Core Processor", 2).source
    'modelled: 280 W for 128 threads, AMD EPYC 7003 data sheet (2021)'
    """
    for rated in _CPUS:
        if re.search(rated.pattern, model):
            full = rated.watts / rated.threads
            source = f"modelled: {rated.watts:g} W for {rated.threads} threads, {rated.source}"
            return Power(full * _IDLE_SHARE * cores, full * (1 - _IDLE_SHARE), source)
    return Power(_IDLE_WATTS_PER_VCPU * cores, _FULL_WATTS_PER_VCPU - _IDLE_WATTS_PER_VCPU, _CLOUD_AVERAGE)


def gpu_power_of(model: str) -> Power:
    """The modelled power of a GPU, which is one core: idle or busy."""
    rated = next((one for one in _GPUS if re.search(one.pattern, model)), _UNKNOWN_GPU)
    source = f"modelled: {rated.watts:g} W, {rated.source}"
    return Power(rated.watts * _GPU_IDLE_SHARE, rated.watts * (1 - _GPU_IDLE_SHARE), source)


def with_power(processor: Processor) -> Processor:
    """The processor with modelled watts where none were declared or measured."""
    if processor.power_source != "unknown":
        return processor
    if processor.kind not in ("cpu", "gpu"):
        return processor
    power = (
        gpu_power_of(processor.model)
        if processor.kind == "gpu"
        else power_of(processor.model, processor.cores)
    )
    return replace(
        processor,
        idle_watts=power.idle_watts,
        active_watts_per_core=power.active_watts_per_core,
        power_source=power.source,
    )


def joules(processor: Processor, core_seconds: float, wall_seconds: float = 0.0) -> float:
    """Energy of work that kept ``core_seconds`` of a processor busy; with ``wall_seconds``, idle power for so
    long too.

    >>> cpu = Processor("cpu", cores=2, idle_watts=10.0, active_watts_per_core=5.0)
    >>> joules(cpu, core_seconds=3.0, wall_seconds=2.0)
    35.0
    """
    return processor.idle_watts * wall_seconds + processor.active_watts_per_core * core_seconds


class EnergyCounter(Protocol):
    """Joules that went into the processors between two moments, by hardware counters."""

    def begin(self) -> None: ...

    def end(self) -> float: ...


class _ZeusCounter:
    def __init__(self, monitor: Any) -> None:
        self._monitor = monitor

    def begin(self) -> None:
        self._monitor.begin_window("hetero")

    def end(self) -> float:
        measured = self._monitor.end_window("hetero")
        parts = [measured.gpu_energy, measured.cpu_energy, measured.dram_energy]
        return float(sum(value for part in parts for value in (part or {}).values()))


def counter() -> EnergyCounter | None:
    """RAPL and NVML through zeus, where zeus is installed and finds a counter that it may read; None
    elsewhere.

    Counters are of the whole machine: what else ran meanwhile is in them.
    """
    try:
        monitoring = importlib.import_module("zeus.monitor")
    except ImportError:
        return None
    try:
        monitor = monitoring.ZeusMonitor()
    except (RuntimeError, ValueError, OSError) as error:  # no counter, or no permission to read it
        _log.info("no energy counter: %s", error)
        return None
    found = _ZeusCounter(monitor)
    found.begin()
    return found if found.end() > 0 else None
