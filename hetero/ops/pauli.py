"""Expectation values of Pauli sums on state vectors, as array arithmetic over a batch.

A Pauli string maps basis state k to k XOR x with the phase i^|x&z| (-1)^|k&z|: the bits of x say where it flips,
those of z where it signs (qubit 0 is bit 0). So <psi|P|psi> is one gather, one product and one sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from qiskit.quantum_info import SparsePauliOp

__all__ = ["PauliTerms", "expectations"]


@dataclass(frozen=True, slots=True)
class PauliTerms:
    """All terms of several observables, flat. Term t adds ``coefficients[t] * <P_t>`` to ``owners[t]``."""

    x: np.ndarray[Any, Any]
    z: np.ndarray[Any, Any]
    coefficients: np.ndarray[Any, Any]
    owners: np.ndarray[Any, Any]
    observables: int

    @classmethod
    def of(cls, observables: Sequence[SparsePauliOp]) -> PauliTerms:
        """For observables of at most 63 qubits."""
        rows = []
        for owner, observable in enumerate(observables):
            weights = 1 << np.arange(observable.num_qubits, dtype=np.int64)
            x, z = observable.paulis.x @ weights, observable.paulis.z @ weights
            rows += [(a, b, c.real, owner) for a, b, c in zip(x, z, observable.coeffs, strict=True)]
        x, z, coefficients, owners = zip(*rows, strict=True)
        return cls(
            np.array(x, np.int64),
            np.array(z, np.int64),
            np.array(coefficients, np.float64),
            np.array(owners, np.int64),
            len(observables),
        )


def expectations(states: np.ndarray[Any, Any], terms: PauliTerms) -> np.ndarray[Any, Any]:
    """Of states of shape (sets, 2**n): float64 of shape (sets, observables).

    >>> plus = np.array([[1, 1]]) / np.sqrt(2)
    >>> one = np.array([1])
    >>> expectations(plus, PauliTerms(one, 0 * one, 3.0 * one, 0 * one, 1)).round(6)   # 3 X
    array([[3.]])
    """
    index = np.arange(states.shape[-1])
    found = np.zeros((len(states), terms.observables))
    for x, z, coefficient, owner in zip(terms.x, terms.z, terms.coefficients, terms.owners, strict=True):
        sign = 1.0 - 2.0 * (np.bitwise_count(index & z) & 1)
        overlap = (states[:, index ^ x].conj() * states) @ sign
        phase = 1j ** int(np.bitwise_count(x & z))
        found[:, owner] += coefficient * (phase * overlap).real
    return found
