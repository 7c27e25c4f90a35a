"""Dollars and carbon: every part is shown, parts add up, declared numbers go first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.cost import price
from hetero.errors import ArgumentError, UnknownNameError
from hetero.machine import Machine, Processor

CPU = Processor("cpu", cores=8, features=("avx2",))
BOUGHT = price.owned(10_000, life_years=4, use=0.5, dollars_per_kwh=0.2, pue=1.5, overhead_share=0.1)
OWNED = price.declare(Machine((CPU,)), {"cpu": BOUGHT}, grid="us").processor("cpu")


@given(st.floats(0, 1e5), st.floats(0, 1e7))
def test_the_parts_of_a_cost_add_up(seconds: float, joules: float) -> None:
    """Hardware written off over the hours of use, energy with its cooling, and overhead: nothing else."""
    found = price.cost(OWNED, seconds, joules)
    hourly = 10_000 / (4 * 8766 * 0.5)
    assert found.hardware == pytest.approx(hourly * seconds / 3600)
    assert found.overhead == pytest.approx(0.1 * hourly * seconds / 3600)
    assert found.energy == pytest.approx(joules / 3.6e6 * 1.5 * 0.2)
    assert found.dollars == pytest.approx(found.hardware + found.energy + found.overhead)
    assert found.dollars == price.dollars(OWNED, seconds, joules)


def test_rent_holds_the_energy() -> None:
    """A rented processor's joules are not paid twice."""
    rented = price.declare(Machine((CPU,)), {"cpu": price.rented(3.6)}).processor("cpu")
    assert price.cost(rented, 1.0, joules=1e9) == price.Cost(hardware=pytest.approx(1e-3))


def test_carbon_includes_cooling_and_is_unknown_where_a_grid_is() -> None:
    """One kilowatt-hour, half as much again for cooling, on the grid that was declared."""
    assert price.carbon_grams([(OWNED, 3.6e6)]) == pytest.approx(1.5 * 390)
    assert price.carbon_grams([(OWNED, 3.6e6), (CPU, 1.0)]) is None


def test_every_number_of_the_catalogue_says_where_it_is_from() -> None:
    """Modelled prices and grids name their source and its year."""
    found = price.with_price(CPU)
    assert found.price_source.startswith("modelled: AWS")
    assert "2022" in found.carbon_source
    assert all(any(year in grid.source for year in ("2021", "2022")) for grid in price.GRIDS.values())


def test_what_was_declared_stays() -> None:
    """Detecting fills in only what nobody said."""
    assert price.with_price(OWNED) == OWNED
    own_grid = replace(CPU, grams_per_kwh=10.0, carbon_source="declared")
    assert price.with_price(own_grid).grams_per_kwh == 10.0


def test_a_machine_file_keeps_what_was_declared(tmp_path: object) -> None:
    """Prices and grid travel with the machine."""
    machine = Machine((OWNED,))
    assert Machine.from_dict(machine.to_dict()) == machine


@pytest.mark.parametrize(
    "wrong", [{"use": 0.0}, {"use": 1.5}, {"life_years": 0}, {"pue": 0.9}, {"dollars_per_kwh": -1}]
)
def test_numbers_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    """The message names the number and what is allowed."""
    with pytest.raises(ArgumentError, match="expected"):
        price.owned(1.0, **wrong)


def test_an_unknown_processor_or_grid_lists_what_there_is() -> None:
    """Misspelt names change nothing unseen."""
    with pytest.raises(UnknownNameError, match="cpu"):
        price.declare(Machine((CPU,)), {"gpu7": price.rented(1.0)})
    with pytest.raises(UnknownNameError, match="eu-north-1"):
        price.declare(Machine((CPU,)), grid="atlantis")
