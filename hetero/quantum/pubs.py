"""Pubs as users give them, checked before any work, with errors that name the pub and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub

from hetero.errors import ArgumentError, ModelError
from hetero.quantum.memory import observables_array

__all__ = ["estimator_pubs", "rows_of", "sampler_pubs", "seed_of"]


def sampler_pubs(pubs: Iterable[Any], shots: int) -> list[SamplerPub]:
    """Understand pubs (circuit, values, shots).

    Raises:
        ModelError: parameters without values.
        ArgumentError: shots that are not a positive integer.
        ModelError, TypeError: what else Qiskit finds wrong with a pub; the first names it.
    """
    _require_shots("shots", shots)
    found = []
    for index, given in enumerate(_listed(pubs)):
        _require_values(index, given, values_at=1)
        with _naming(index):
            pub = SamplerPub.coerce(given, shots)
        _require_shots(f"pub {index}: shots", pub.shots)
        found.append(pub)
    return found


def estimator_pubs(pubs: Iterable[Any], precision: float) -> list[EstimatorPub]:
    """Understand pubs (circuit, observables, values, precision).

    Raises:
        ModelError: parameters without values.
        ArgumentError: a precision that is not a finite number >= 0.
        ModelError, TypeError: what else Qiskit finds wrong with a pub, the first names it; observables of another
            width than the circuit.
    """
    _require_precision("precision", precision)
    found = []
    for index, given in enumerate(_listed(pubs)):
        _require_values(index, given, values_at=2)
        if isinstance(given, tuple) and len(given) > 1:
            given = (given[0], observables_array(given[1]), *given[2:])
        with _naming(index):
            pub = EstimatorPub.coerce(given, precision)
        _require_precision(f"pub {index}: precision", pub.precision)
        found.append(pub)
    return found


def rows_of(pub: SamplerPub | EstimatorPub) -> np.ndarray[Any, Any]:
    """A pub's parameter sets as (sets, n), in the order of ``circuit.parameters``.

    Raises:
        ArgumentError: an angle is not a finite number.
    """
    values, width = pub.parameter_values, pub.circuit.num_parameters
    table = np.zeros((*values.shape, 0))
    if width:
        names = tuple(parameter.name for parameter in pub.circuit.parameters)
        # As pubs mostly come: one array in the circuit's own order. Qiskit's `as_array` sorts it all the same.
        table = values.data[names] if names in values.data else values.as_array(pub.circuit.parameters)
    rows = np.asarray(table, np.float64).reshape(values.size, width)
    if not np.isfinite(rows).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(rows))[0])
        name = pub.circuit.parameters[column].name
        raise ArgumentError(
            f"circuit {pub.circuit.name!r}: parameter {name!r} of set {row} is {rows[row, column]}, not a finite number"
        )
    return rows


def seed_of(rng: np.random.Generator | None) -> int | None:
    """A seed for a simulator, drawn from the generator; None without one."""
    return None if rng is None else int(rng.integers(2**31))


def _listed(pubs: Iterable[Any]) -> list[Any]:
    if isinstance(pubs, QuantumCircuit) or not isinstance(pubs, Iterable):
        raise ArgumentError(f"run() takes a list of pubs, not a {type(pubs).__name__}: run([pub])")
    return list(pubs)


@contextmanager
def _naming(index: int) -> Iterator[None]:
    """Have what Qiskit finds wrong with a pub's values say which pub it is."""
    try:
        yield
    except ValueError as error:
        raise ModelError(f"pub {index}: {error}") from error


def _require_values(index: int, given: Any, values_at: int) -> None:
    circuit = given if isinstance(given, QuantumCircuit) else None
    values = None
    if isinstance(given, tuple | list) and given:
        circuit = given[0] if isinstance(given[0], QuantumCircuit) else None
        values = given[values_at] if len(given) > values_at else None
    if circuit is not None and circuit.num_parameters and values is None:
        names = ", ".join(parameter.name for parameter in circuit.parameters)
        raise ModelError(
            f"pub {index}: circuit {circuit.name!r} has {circuit.num_parameters} parameters without values: {names}"
        )


def _require_shots(what: str, shots: Any) -> None:
    if isinstance(shots, bool) or not isinstance(shots, int | np.integer) or shots < 1:
        raise ArgumentError(f"{what}={shots!r}: expected an integer > 0")


def _require_precision(what: str, precision: Any) -> None:
    number = isinstance(precision, int | float | np.number) and not isinstance(precision, bool)
    if not number or not 0 <= precision < np.inf:
        raise ArgumentError(f"{what}={precision!r}: expected a number >= 0; 0 is exact")
