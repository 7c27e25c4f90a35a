"""Rates of simulation methods, seconds a unit of each term of their laws: written by benchmarks/quantum_fit.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["RATES", "Rate"]


@dataclass(frozen=True, slots=True)
class Rate:
    """Seconds a unit of each term, of a warm run and of compiling. Nine in ten measurements of families that were not
    fitted lie within a factor ``spread``."""

    run: Mapping[str, float]
    compile: Mapping[str, float]
    spread: float


RATES: Mapping[str, Rate] = {
    "aer statevector": Rate(
        {"once": 1e-3, "narrow passes": 1e-9, "wide passes": 2e-9, "amplitudes": 1e-8, "shots": 2e-8},
        {"once": 1e-4},
        2.0,
    ),
    "aer matrix_product_state": Rate(
        {"once": 1e-3, "gates": 1e-5, "cubes": 1e-7, "shots": 1.4e-6, "squares": 1e-8}, {"once": 1e-4}, 2.0
    ),
    "aer stabilizer": Rate(
        {"once": 1e-3, "gates": 1e-6, "shots": 1e-7, "shot rows": 1e-8}, {"once": 1e-4}, 2.0
    ),
    "ddsim": Rate(
        {"once": 3e-3, "gates": 1e-5, "visits": 1e-6, "shots": 1e-7, "amplitudes": 1e-7}, {"once": 2e-3}, 2.0
    ),
    "statevector": Rate(
        {"once": 3e-5, "narrow passes": 1e-9, "wide passes": 1e-9, "amplitudes": 1e-9},
        {"once": 2e-3, "gates": 5e-5, "amplitudes": 2e-6},
        2.0,
    ),
}
