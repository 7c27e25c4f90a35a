"""What a query costs in dollars, part by part, and in carbon dioxide.

A processor is rented (one price, energy within) or owned (bought and written off over its life and its use, plus its
energy with cooling, plus running it). Declared numbers go first; the catalogue is small, dated, and says where each
number is from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hetero.errors import ArgumentError, UnknownNameError
from hetero.machine import Machine, Processor

__all__ = [
    "GRIDS",
    "Cost",
    "Price",
    "carbon_grams",
    "cost",
    "declare",
    "dollars",
    "owned",
    "price_of",
    "rented",
    "with_price",
]

HOURS_PER_YEAR = 8766.0
JOULES_PER_KWH = 3.6e6
PUE = 1.56
"""Facility power over machine power: Uptime Institute, Global Data Center Survey 2024, average of the largest sites."""
DOLLARS_PER_KWH = 0.1275
"""Declared default: about the U.S. commercial average of 2024; EIA's Electric Power Monthly has it in table 5.6.B."""


@dataclass(frozen=True, slots=True)
class Price:
    """What an hour of a processor costs, and a kilowatt-hour of its energy (0: the rent holds it)."""

    hardware_per_hour: float
    overhead_per_hour: float = 0.0
    dollars_per_kwh: float = 0.0
    pue: float = 1.0
    source: str = "declared"

    def __str__(self) -> str:
        energy = "energy within"
        if self.dollars_per_kwh:
            energy = f"energy ${self.dollars_per_kwh:.4g}/kWh x PUE {self.pue:g}"
        hours = f"hardware ${self.hardware_per_hour:.4g}/h + overhead ${self.overhead_per_hour:.4g}/h"
        return f"{hours} + {energy} ({self.source})"


def rented(dollars_per_hour: float, source: str = "declared") -> Price:
    """A rented processor: the provider's price holds energy and overhead.

    Raises:
        ArgumentError: the price is negative.
    """
    _require(dollars_per_hour=dollars_per_hour)
    return Price(dollars_per_hour, source=source)


def owned(
    purchase_dollars: float,
    *,
    life_years: float = 4.0,
    use: float = 0.5,
    dollars_per_kwh: float = DOLLARS_PER_KWH,
    pue: float = PUE,
    overhead_share: float = 0.2,
) -> Price:
    """A bought processor, for each hour in which it works.

    ``use`` is the share of its life in which it works: the hours in which it stands still are paid by the others.
    ``overhead_share`` is what staff, space and network add to the hardware (a default of one fifth; declare your own).

    Raises:
        ArgumentError: a number is negative, a share is not between 0 and 1, or the PUE is below 1.

    >>> print(owned(8766.0, life_years=2, dollars_per_kwh=0.1, pue=1.5))
    hardware $1/h + overhead $0.2/h + energy $0.1/kWh x PUE 1.5 (declared purchase, 2 years at 50% use)
    """
    _require(
        purchase_dollars=purchase_dollars, dollars_per_kwh=dollars_per_kwh, overhead_share=overhead_share
    )
    if not life_years > 0 or not 0 < use <= 1 or not pue >= 1:
        raise ArgumentError(
            f"owned(life_years={life_years}, use={use}, pue={pue}): expected a life above 0, a use above 0 and at most "
            "1, a PUE of at least 1"
        )
    hardware = purchase_dollars / (life_years * HOURS_PER_YEAR * use)
    return Price(
        hardware,
        hardware * overhead_share,
        dollars_per_kwh,
        pue,
        f"declared purchase, {life_years:g} years at {use:.0%} use",
    )


def _require(**numbers: float) -> None:
    for name, number in numbers.items():
        if not number >= 0:
            raise ArgumentError(f"{name}={number!r}: expected a number >= 0")


@dataclass(frozen=True, slots=True)
class Cost:
    """Dollars of a query (or of anything else), by part."""

    hardware: float = 0.0
    energy: float = 0.0
    overhead: float = 0.0

    @property
    def dollars(self) -> float:
        return self.hardware + self.energy + self.overhead

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.hardware + other.hardware, self.energy + other.energy, self.overhead + other.overhead
        )


def cost(processor: Processor, seconds: float, joules: float = 0.0) -> Cost:
    """The cost of a whole processor for so many seconds in which it takes so many joules.

    Of work that leaves cores to others the share is ``core seconds / cores``; a machine that serves one query at a time
    is paid for all of its wall time.

    >>> cost(Processor("cpu", cores=4, dollars_per_hour=0.36), seconds=7200).dollars
    0.72
    """
    hours = seconds / 3600
    return Cost(
        processor.dollars_per_hour * hours,
        joules / JOULES_PER_KWH * processor.pue * processor.dollars_per_kwh,
        processor.overhead_per_hour * hours,
    )


def dollars(processor: Processor, seconds: float, joules: float = 0.0) -> float:
    """``cost``, in one number."""
    return cost(processor, seconds, joules).dollars


def carbon_grams(uses: Iterable[tuple[Processor, float]]) -> float | None:
    """Carbon dioxide of joules on processors, cooling included; None where a grid's intensity is not known.

    >>> round(carbon_grams([(Processor("cpu", pue=1.5, grams_per_kwh=400.0), 3.6e6)]))
    600
    """
    total = 0.0
    for processor, joules in uses:
        if processor.grams_per_kwh is None:
            return None
        total += joules / JOULES_PER_KWH * processor.pue * processor.grams_per_kwh
    return total


@dataclass(frozen=True, slots=True)
class Grid:
    """Grams of carbon dioxide of a kilowatt-hour, and where the number is from."""

    grams_per_kwh: float
    source: str


GRIDS: Mapping[str, Grid] = {
    "us": Grid(390.0, "U.S. generation of 2022, 0.86 lb/kWh: EIA, frequently asked questions 74"),
    "aws": Grid(387.0, "average of AWS regions: Cloud Carbon Footprint, 2021"),
    "eu-central-1": Grid(338.0, "Germany: Cloud Carbon Footprint, 2021"),
    "eu-west-3": Grid(52.0, "France: Cloud Carbon Footprint, 2021"),
    "eu-north-1": Grid(8.0, "Sweden: Cloud Carbon Footprint, 2021"),
    "eu-west-2": Grid(228.0, "Great Britain: Cloud Carbon Footprint, 2021"),
    "ap-south-1": Grid(708.0, "India: Cloud Carbon Footprint, 2021"),
}
"""A small catalogue of grids by the names that people use for them; ``us`` stands where nothing is declared."""


def declare(
    machine: Machine, prices: Mapping[str, Price] | None = None, grid: str | float | None = None
) -> Machine:
    """The machine with these prices by processor's name, and all of it on this grid: a name of ``GRIDS``, or grams of
    carbon dioxide a kilowatt-hour.

    Raises:
        UnknownNameError: no processor, or no grid, has a name; lists all.

    >>> made = declare(Machine((Processor("cpu"),)), {"cpu": rented(0.5)}, grid=100)
    >>> made.processor("cpu").dollars_per_hour, made.processor("cpu").grams_per_kwh
    (0.5, 100)
    """
    for name in prices or {}:
        machine.processor(name)
    found = None
    if isinstance(grid, str):
        if grid not in GRIDS:
            raise UnknownNameError("grid", grid, GRIDS)
        found = GRIDS[grid]
    elif grid is not None:
        _require(grid=grid)
        found = Grid(grid, "declared")
    processors = []
    for processor in machine.processors:
        if prices and processor.name in prices:
            processor = _priced(processor, prices[processor.name])
        if found is not None:
            processor = replace(processor, grams_per_kwh=found.grams_per_kwh, carbon_source=found.source)
        processors.append(processor)
    return replace(machine, processors=tuple(processors))


def _priced(processor: Processor, price: Price) -> Processor:
    return replace(
        processor,
        dollars_per_hour=price.hardware_per_hour,
        overhead_per_hour=price.overhead_per_hour,
        dollars_per_kwh=price.dollars_per_kwh,
        pue=price.pue if price.pue > 1 else processor.pue,
        price_source=price.source,
    )


@dataclass(frozen=True, slots=True)
class _Rent:
    dollars_per_hour: float
    units: int
    source: str


_AWS = "on demand, Linux, us-east-1"
_X86_VCPU = _Rent(
    0.34,
    8,
    f"modelled: AWS c5.2xlarge {_AWS}, $0.34/h for 8 vCPUs, the example of AWS's Auto Scaling user guide",
)
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
    """The processor with the catalogue's price where none was declared, and on the catalogue's first grid, with the
    average cooling, where no grid was."""
    if processor.price_source == "unknown":
        processor = _priced(processor, price_of(processor))
    if processor.carbon_source == "unknown" and processor.grams_per_kwh is None:
        grid = GRIDS["us"]
        processor = replace(
            processor, grams_per_kwh=grid.grams_per_kwh, carbon_source=f"modelled: {grid.source}"
        )
        if processor.pue == 1.0 and processor.price_source.startswith("modelled"):
            processor = replace(processor, pue=PUE)
    return processor
