"""What a processor costs in an hour, in parts that can be checked, and what a query's share of it is.

A processor is rented (one price, energy within) or owned (bought and written off, plus energy with cooling,
plus running it). Declared numbers go first; the catalogue is small, dated, and says where it is from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hetero.machine import Processor

__all__ = ["Price", "dollars", "owned", "price_of", "rented", "with_price"]

HOURS_PER_YEAR = 8766.0
PUE = 1.58
"""Facility power over machine power: Uptime Institute, Global Data Center Survey 2023, average."""
DOLLARS_PER_KWH = 0.1275
"""U.S. commercial average of 2024: EIA, Electric Power Monthly, table 5.3."""


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for an hour of a processor, part by part, and where they are from."""

    hardware: float
    energy: float = 0.0
    overhead: float = 0.0
    source: str = "declared"

    @property
    def dollars_per_hour(self) -> float:
        return self.hardware + self.energy + self.overhead

    def __str__(self) -> str:
        parts = f"hardware {self.hardware:.4g} + energy {self.energy:.4g} + overhead {self.overhead:.4g}"
        return f"${self.dollars_per_hour:.4g}/h ({parts}; {self.source})"


def rented(dollars_per_hour: float, source: str = "declared") -> Price:
    """A rented processor: the provider's price holds energy and overhead."""
    return Price(hardware=dollars_per_hour, source=source)


def owned(
    purchase_dollars: float,
    *,
    life_years: float = 4.0,
    use: float = 0.5,
    average_watts: float = 0.0,
    dollars_per_kwh: float = DOLLARS_PER_KWH,
    pue: float = PUE,
    overhead_share: float = 0.2,
) -> Price:
    """A bought processor, for each hour in which it works.

    ``use`` is the share of its life in which it works: the hours in which it stands still are paid by the
    others. ``average_watts`` is its power while it works, ``overhead_share`` what staff, space and network
    add to the hardware.

    >>> print(owned(8766.0, life_years=2, average_watts=1000, dollars_per_kwh=0.1, pue=1.5))
    $1.35/h (hardware 1 + energy 0.15 + overhead 0.2; declared purchase, 2 years at 50% use)
    """
    hardware = purchase_dollars / (life_years * HOURS_PER_YEAR * use)
    return Price(
        hardware=hardware,
        energy=average_watts / 1000 * pue * dollars_per_kwh,
        overhead=hardware * overhead_share,
        source=f"declared purchase, {life_years:g} years at {use:.0%} use",
    )


@dataclass(frozen=True, slots=True)
class _Rent:
    dollars_per_hour: float
    units: int
    source: str


_AWS = "on demand, Linux, us-east-1"
_X86_VCPU = _Rent(0.34, 8, f"modelled: AWS c5.2xlarge {_AWS}, Auto Scaling user guide, $0.34/h for 8 vCPUs")
_ARM_VCPU = _Rent(0.0816, 2, f"modelled: AWS m7g.large {_AWS}, June 2026, $0.0816/h for 2 vCPUs")
_GPU = _Rent(
    1.006, 1, f"modelled: AWS g5.xlarge (one A10G) {_AWS}, June 2026, $1.006/h; declare your own GPU's price"
)


def price_of(processor: Processor) -> Price:
    """The catalogue's price of a processor: cores of a CPU by the vCPU, a GPU as a whole.

    Nothing is listed for quantum hardware, which is free here unless its price is declared.
    """
    if processor.kind == "gpu":
        return rented(_GPU.dollars_per_hour, _GPU.source)
    if processor.kind != "cpu":
        return Price(0.0, source=f"unknown: no price of a {processor.kind}; declare dollars_per_hour")
    rent = _ARM_VCPU if {"neon", "asimd"} & set(processor.features) else _X86_VCPU
    return rented(rent.dollars_per_hour / rent.units * processor.cores, rent.source)


def with_price(processor: Processor) -> Processor:
    """The processor with the catalogue's price where none was declared."""
    if processor.price_source != "unknown":
        return processor
    price = price_of(processor)
    return replace(processor, dollars_per_hour=price.dollars_per_hour, price_source=price.source)


def dollars(processor: Processor, seconds: float) -> float:
    """The price of a whole processor for so many seconds.

    Of work that leaves cores to others the share is ``core seconds / cores``; a machine that serves one query
    at a time is paid for all of its wall time.

    >>> dollars(Processor("cpu", cores=4, dollars_per_hour=0.36), seconds=7200)
    0.72
    """
    return processor.dollars_per_hour / 3600 * seconds
