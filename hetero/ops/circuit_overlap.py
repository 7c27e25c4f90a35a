"""How much the states of a circuit resemble each other for many parameter sets: the matrix of a quantum kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hetero.ops.base import Outputs, Run
from hetero.ops.circuit import CircuitOp

__all__ = ["CircuitOverlapOp"]


@dataclass(frozen=True, eq=False, repr=False)
class CircuitOverlapOp(CircuitOp):
    """Inputs ``parameters`` (m, n) and ``others`` (k, n); output ``overlaps``: |<state|other>|^2, float64 (m, k).

    m + k states are simulated, not the m k circuits that a processor would have to run.
    """

    kind: ClassVar[str] = "circuit overlap"

    @classmethod
    def of(cls, op: CircuitOp) -> CircuitOverlapOp:
        return cls._of(op)

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        return "parameters", "others"

    @property
    def outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("overlaps",)

    def load(self) -> Run:
        from qiskit.quantum_info import Statevector

        def states(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            bound = (self.unitary.assign_parameters(row) for row in rows)
            return np.stack([Statevector.from_instruction(circuit).data for circuit in bound])

        def run(*inputs: Any) -> Outputs:
            (left, _), (right, _) = self.rows(inputs[:1]), self.rows(inputs[1:])
            return (np.abs(states(left).conj() @ states(right).T) ** 2,)

        return run
