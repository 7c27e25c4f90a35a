"""The right answers of circuits too wide for the plain state vector: by the cheapest exact method.

Up to 16 qubits the reference is Qiskit's own state vector, slow and plain, and all engines are tested against it. From
25 qubits that takes minutes, where a matrix product state or a decision diagram may take milliseconds and be as exact.
What a wide circuit is compared with is then an engine that those tests vouch for, on the reduced circuit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetero.ops.base import Outputs, Run
from hetero.ops.circuit import CircuitOp
from hetero.planning.selection import Selection
from hetero.quantum.running import answer
from hetero.quantum.ways import machine_for

__all__ = ["wide_reference"]


def wide_reference(op: CircuitOp) -> Run:
    """The op as a function of its inputs.

    Raises (from the function):
        InfeasibleError: no exact method can run it; says what each would need.
    """
    machine = machine_for(Selection())

    def run(*inputs: Any) -> Outputs:
        rows, shape = op.rows(inputs)
        found = answer(op.alone, rows, machine, np.random.default_rng(op.seed)).values
        if op.shots is None:
            return (op.pack_expectations(found, shape),)
        return (op.pack_counts(found, shape),)

    return run
