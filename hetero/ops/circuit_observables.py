"""Observables as users give them, understood and checked against the circuit's width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.errors import ArgumentError, ModelError

if TYPE_CHECKING:
    from qiskit.quantum_info import SparsePauliOp

__all__ = ["read_observables"]


def read_observables(who: str, given: Any, qubits: int) -> tuple[tuple[SparsePauliOp, ...], bool]:
    """Pauli sums, like terms merged, and whether one was given instead of a list.

    Each is a Pauli string, a Pauli or a SparsePauliOp; ``who`` is the circuit's name for messages.

    Raises:
        ArgumentError: an empty list.
        ModelError: not an observable, of another width than the circuit, or not Hermitian.
    """
    from qiskit.exceptions import QiskitError
    from qiskit.quantum_info import SparsePauliOp

    many = isinstance(given, list | tuple | np.ndarray)
    if many and not len(given):
        raise ArgumentError(f"circuit {who!r}: observables is empty")
    found = []
    for index, one in enumerate(given if many else [given]):
        where = f"circuit {who!r}, observable {index}"
        try:
            observable = SparsePauliOp(one)
        except (QiskitError, TypeError, ValueError) as error:
            raise ModelError(
                f"{where}: {one!r} is not an observable; use a Pauli string such as {'Z' * qubits!r}, a Pauli or "
                f"a SparsePauliOp ({error})"
            ) from error
        if observable.num_qubits != qubits:
            found_on = f"is on {observable.num_qubits} qubits, the circuit on {qubits}"
            raise ModelError(f"{where} {found_on}; give one letter a qubit, I where nothing is observed")
        if observable.coeffs.dtype == object or not np.isfinite(observable.coeffs).all():
            raise ModelError(f"{where}: its coefficients must be finite numbers")
        if np.abs(observable.coeffs.imag).max(initial=0) > 1e-12:
            raise ModelError(f"{where} is not Hermitian: its coefficients must be real")
        found.append(observable.simplify())
    return tuple(found), not many
