"""Design power of processors, each with the source and the year of its number.

Rows whose number could be looked up in the source say so; the others are declared defaults, and where it matters a
person declares the watts (``idle_watts``, ``active_watts_per_core`` of a processor in the machine's file).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "CPU_VCPU_FULL_WATTS",
    "CPU_VCPU_IDLE_WATTS",
    "CPU_VCPU_SOURCE",
    "GPU_IDLE_SHARE",
    "Rated",
    "cpu",
    "gpu",
]


@dataclass(frozen=True, slots=True)
class Rated:
    """A processor's design power and the hardware threads that share it (a GPU counts as one)."""

    pattern: str
    watts: float
    threads: int
    source: str


_MILAN = "AMD EPYC 7003 series specifications, 2021"
_GENOA = "AMD EPYC 9004 series default TDP, 2022"
_CPUS = (
    Rated(r"EPYC 7763", 280, 128, _MILAN),
    Rated(r"EPYC 7713", 225, 128, _MILAN),
    Rated(r"EPYC 7543", 225, 64, _MILAN),
    Rated(r"EPYC 7513", 200, 64, _MILAN),
    Rated(r"EPYC 9654", 360, 192, _GENOA),
    Rated(r"EPYC 9554", 360, 128, _GENOA),
    Rated(r"Platinum 8380", 270, 80, "Intel Xeon Platinum 8380 TDP, 2021"),
    Rated(r"Platinum 8358", 250, 64, "declared default"),
    Rated(r"Platinum 8480", 350, 112, "declared default"),
    Rated(r"Platinum 8490H", 350, 120, "Intel Xeon Platinum 8490H TDP, as reported in 2022"),
    Rated(r"Platinum 8592", 350, 128, "declared default"),
)
_GPUS = (
    Rated(r"H100.*PCIe", 350, 1, "NVIDIA H100 PCIe product brief PB-11133-001, 2022"),
    Rated(r"H100 NVL", 400, 1, "NVIDIA H100 NVL board power, as reported in 2024"),
    Rated(r"H200 NVL", 600, 1, "NVIDIA H200 NVL board power, as reported in 2024"),
    Rated(r"H100", 700, 1, "NVIDIA H100 SXM, up to 700 W, 2022"),
    Rated(r"H200", 700, 1, "declared default"),
    Rated(r"A100.*PCIe.*80GB|A100.*80GB.*PCIe", 300, 1, "declared default"),
    Rated(r"A100.*PCIe", 250, 1, "NVIDIA A100 40GB PCIe TDP, 2020"),
    Rated(r"A100", 400, 1, "declared default"),
    Rated(r"L40S", 350, 1, "NVIDIA L40S board power, 2023"),
    Rated(r"A10G?\b", 150, 1, "declared default"),
    Rated(r"\bL4\b", 72, 1, "NVIDIA L4 TDP, 2023"),
    Rated(r"\bT4\b", 70, 1, "NVIDIA T4 TDP, 2018"),
    Rated(r"RTX 4090", 450, 1, "declared default"),
)
_UNKNOWN_GPU = Rated("", 150, 1, "declared default for a GPU that is not in the table; declare its watts")

CPU_VCPU_IDLE_WATTS, CPU_VCPU_FULL_WATTS = 0.74, 3.5
CPU_VCPU_SOURCE = (
    "Cloud Carbon Footprint's average of AWS servers by vCPU, 2021: "
    f"{CPU_VCPU_IDLE_WATTS} W idle to {CPU_VCPU_FULL_WATTS} W busy"
)
GPU_IDLE_SHARE = 0.115
"""Idle over full power of NVIDIA's T4, V100, A10G and A100: 0.113 to 0.118 in Cloud Carbon Footprint's table, 2021."""


def cpu(model: str) -> Rated | None:
    """The row of a CPU's model name; None where the table has none."""
    return next((row for row in _CPUS if re.search(row.pattern, model)), None)


def gpu(model: str) -> Rated:
    """The row of a GPU's model name, or one for any GPU, which says so.

    >>> gpu("NVIDIA H100 80GB HBM3").watts, gpu("NVIDIA H100 PCIe").watts
    (700, 350)
    """
    return next((row for row in _GPUS if re.search(row.pattern, model)), _UNKNOWN_GPU)
