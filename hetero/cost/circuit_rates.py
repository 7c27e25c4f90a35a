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
        run={
            "cubes": 3.1e-09,
            "gates": 1.28e-05,
            "once": 0.000375,
            "shots": 2.15e-06,
            "squares": 1.05e-08,
            "terms": 7.73e-10,
        },
        compile={"gates": 1.71e-05, "once": 0.00102},
        spread=2.13,
    ),
    "aer stabilizer": Rate(
        run={"once": 0.00056, "shot rows": 9.97e-09, "shots": 1.21e-07, "terms": 5.09e-08},
        compile={"gates": 6.3e-05, "once": 0.000821},
        spread=3.59,
    ),
    "aer statevector": Rate(
        run={
            "amplitudes": 7.25e-08,
            "gates": 1.5e-05,
            "narrow passes": 7.34e-10,
            "once": 0.000522,
            "shots": 1.57e-07,
            "terms": 2.45e-09,
            "wide passes": 2.44e-09,
        },
        compile={"gates": 1.61e-05, "once": 0.00122},
        spread=1.73,
    ),
    "ddsim": Rate(
        run={"gates": 2.32e-06, "once": 0.00273, "terms": 7.12e-09, "visits": 3.42e-07},
        compile={"gates": 3.92e-05, "once": 0.00381},
        spread=2.98,
    ),
    "statevector": Rate(
        run={
            "amplitudes": 1.22e-08,
            "narrow passes": 5.51e-11,
            "once": 0.000138,
            "shots": 1.79e-06,
            "terms": 7.6e-10,
            "wide passes": 9.12e-11,
        },
        compile={"amplitudes": 2.49e-07, "gates": 2.98e-05, "once": 0.000904},
        spread=2.1,
    ),
    "stim": Rate(
        run={"gates": 3.68e-06, "once": 0.00026, "shots": 1.2e-08, "terms": 2.73e-08},
        compile={"gates": 5.85e-05, "once": 0.00042},
        spread=2.8,
    ),
}
