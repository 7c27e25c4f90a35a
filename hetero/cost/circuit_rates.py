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
    "aer matrix_product_state": Rate(
        run={"cubes": 9.44e-11, "gates": 1.29e-05, "once": 0.000348, "shots": 1.83e-06, "squares": 1.3e-09},
        compile={"gates": 1.58e-05, "once": 0.000608},
        spread=4.24,
    ),
    "aer stabilizer": Rate(
        run={"once": 0.000549, "shot rows": 1.02e-08, "shots": 1.19e-07, "terms": 5.86e-08},
        compile={"gates": 4.97e-05, "once": 0.000771},
        spread=3.88,
    ),
    "aer statevector": Rate(
        run={
            "amplitudes": 5.45e-08,
            "gates": 1.43e-05,
            "narrow passes": 1.07e-09,
            "once": 0.0005,
            "shots": 1.38e-07,
            "terms": 3.76e-09,
            "wide passes": 1.77e-09,
        },
        compile={"gates": 1.23e-05, "once": 0.000819},
        spread=2.86,
    ),
    "ddsim": Rate(
        run={"gates": 7.03e-07, "once": 0.00201, "visits": 2.79e-07},
        compile={"gates": 2.94e-05, "once": 0.00358},
        spread=52.86,
    ),
    "statevector": Rate(
        run={
            "amplitudes": 3.84e-10,
            "gates": 3.1e-09,
            "narrow passes": 5.61e-10,
            "once": 0.000125,
            "shots": 1.67e-07,
            "wide passes": 5.89e-10,
        },
        compile={"amplitudes": 2.15e-06, "gates": 3.51e-05, "once": 0.00357},
        spread=5.76,
    ),
}
