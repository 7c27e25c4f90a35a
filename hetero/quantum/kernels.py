"""Quantum kernel matrices: how much the states that a circuit makes of two data points resemble each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_overlap import CircuitOverlapOp
from hetero.planning.selection import Selection
from hetero.quantum.ways import machine_for, widest
from hetero.quantum.workers import run_on
from hetero.values import specs_of

__all__ = ["kernel_matrix"]


def kernel_matrix(circuit: QuantumCircuit, points: Any, others: Any = None) -> np.ndarray[Any, Any]:
    """|<state(point)|state(other)>|^2 of every pair, float64 of shape (points, others).

    The fidelity kernel of Havlicek et al. (Nature 567, 209, 2019, doi:10.1038/s41586-019-0980-2). A processor runs a
    circuit for each pair; here each state is made once and the pairs are one matrix product.

    Args:
        circuit: a feature map: its parameters are the features, in the order of ``circuit.parameters``; what it
            measures at its end is left out.
        points: angles in radians of shape (points, parameters).
        others: the same; the points themselves where nothing is given.

    Raises:
        ArgumentError: the wrong number of angles, or one that is not finite.
        InfeasibleError: more qubits than the batched state vectors have.

    >>> from qiskit.circuit import Parameter
    >>> circuit = QuantumCircuit(1)
    >>> _ = circuit.ry(Parameter("x"), 0)
    >>> kernel_matrix(circuit, [[0.0], [np.pi / 2], [np.pi]]).round(6) + 0.0
    array([[1. , 0.5, 0. ],
           [0.5, 1. , 0.5],
           [0. , 0.5, 1. ]])
    """
    bare = circuit.remove_final_measurements(inplace=False)
    op = CircuitOverlapOp.of(
        CircuitOp.from_circuit(bare, observables="I" * bare.num_qubits, name=circuit.name)
    )
    left, _ = op.rows([points])
    right = left if others is None else op.rows([others])[0]
    (found,) = run_on(op, *widest(op, specs_of([left]), machine_for(Selection())), [left, right])
    return np.asarray(found)
