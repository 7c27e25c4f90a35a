"""A circuit's expectation values with their derivatives, as one operation: what the adjoint method computes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hetero.errors import ArgumentError
from hetero.ops.base import Outputs, Run
from hetero.ops.circuit import CircuitOp

__all__ = ["CircuitGradientOp"]

STEP = 1e-5
"""Of the reference's central differences, in radians: their error is about 1e-10 times the third derivative."""


@dataclass(frozen=True, eq=False, repr=False)
class CircuitGradientOp(CircuitOp):
    """Inputs ``parameters`` (sets, n) and ``weights`` (sets, observables); outputs ``expectations`` (sets, observables)
    and ``gradient`` (sets, n): the derivatives of the weighted sum of each set's expectation values.

    (A vector-Jacobian product, in the words of automatic differentiation: the whole Jacobian costs one for each
    observable.)
    """

    kind: ClassVar[str] = "circuit gradient"

    @classmethod
    def of(cls, op: CircuitOp) -> CircuitGradientOp:
        """Of an op that asks for expectation values.

        Raises:
            ArgumentError: it asks for counts, which have no derivative.
        """
        if op.shots is not None:
            raise ArgumentError(
                f"circuit {op.name!r}: counts have no derivative; give observables= instead of shots="
            )
        return cls._of(op)

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        return "parameters", "weights"

    @property
    def outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        return "expectations", "gradient"

    def load(self) -> Run:
        """The exact values, and central differences of them: slow, and right to about 1e-9."""
        from hetero.ops.circuit_reference import exact_expectations

        def values(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            return np.array(
                [exact_expectations(self.unitary.assign_parameters(row), self.observables) for row in rows]
            )

        def run(*inputs: Any) -> Outputs:
            rows, _ = self.rows(inputs)
            weights = np.asarray(inputs[1], np.float64)
            steps = np.eye(rows.shape[1]) * STEP
            slopes = [
                ((values(rows + step) - values(rows - step)) * weights).sum(1) / (2 * STEP) for step in steps
            ]
            return values(rows), np.stack(slopes, axis=1)

        return run
