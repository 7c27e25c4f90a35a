"""Modelled energy, which says that it is modelled; what hardware counters say is in ``hetero.cost.counters``.

The model is ``idle watts x wall seconds + active watts per core x core seconds``. Idle power is paid whether
or not anything runs, so it belongs to the plan's wall time and not to any task.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hetero.cost import power_table
from hetero.machine import Processor

__all__ = ["Power", "gpu_power_of", "joules", "power_of", "with_power"]


@dataclass(frozen=True, slots=True)
class Power:
    """Watts of a processor: idle, and on top of that for each busy core; and where the numbers are from."""

    idle_watts: float
    active_watts_per_core: float
    source: str


_IDLE_SHARE = power_table.CPU_VCPU_IDLE_WATTS / power_table.CPU_VCPU_FULL_WATTS
"""Idle over full power of a CPU, as in the servers that Cloud Carbon Footprint averaged."""


def power_of(model: str, cores: int) -> Power:
    """The modelled power of this many cores (hardware threads) of a CPU.

    A known model's design power is shared evenly by its threads, the idle part of it as in the servers that
    Cloud Carbon Footprint averaged; of an unknown one that average is taken.

    >>> power_of("AMD EPYC 7763 64-Core Processor", 2).source
    'modelled: 280 W for 128 threads, AMD EPYC 7003 series specifications, 2021'
    """
    rated = power_table.cpu(model)
    if rated is None:
        idle, full = power_table.CPU_VCPU_IDLE_WATTS, power_table.CPU_VCPU_FULL_WATTS
        return Power(idle * cores, full - idle, f"modelled: {power_table.CPU_VCPU_SOURCE}")
    full = rated.watts / rated.threads
    source = f"modelled: {rated.watts:g} W for {rated.threads} threads, {rated.source}"
    return Power(full * _IDLE_SHARE * cores, full * (1 - _IDLE_SHARE), source)


def gpu_power_of(model: str) -> Power:
    """The modelled power of a GPU, which is one core: idle or busy."""
    rated = power_table.gpu(model)
    source = f"modelled: {rated.watts:g} W, {rated.source}"
    share = power_table.GPU_IDLE_SHARE
    return Power(rated.watts * share, rated.watts * (1 - share), source)


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
