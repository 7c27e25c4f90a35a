"""Expectation values with their derivatives by every parameter, exact: by the adjoint method or by parameter shift.

The adjoint method goes through the circuit once forward and once back for each observable, however many parameters
there are (see backends/statevector_adjoint.py); it needs state vectors.

The parameter-shift rule needs nothing but expectation values, of any simulator: of a gate exp(-i theta P / 2), with
P**2 = 1, the derivative of any expectation value is half the difference of its values at theta + pi/2 and theta - pi/2
(Schuld et al., Physical Review A 99, 032331, 2019, doi:10.1103/PhysRevA.99.032331). Every gate that has a parameter is
shifted by itself, and the chain rule joins what shares one: so a parameter may occur in many gates and in any
differentiable expression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter, ParameterExpression

from hetero.device import DeviceInfo, Variant
from hetero.errors import ArgumentError, InfeasibleError
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_gradient import CircuitGradientOp
from hetero.planning.selection import Selection
from hetero.quantum.running import answer
from hetero.quantum.ways import machine_for, widest
from hetero.quantum.workers import run_on
from hetero.values import specs_of

__all__ = ["Differentiable"]

Array = np.ndarray[Any, np.dtype[np.float64]]

Method: TypeAlias = Literal["auto", "adjoint", "shift"]

ADJOINT_COST = 4.0
"""What one pass forward and back takes, in simulations forward: two states go back, and are multiplied on the way."""

_SHIFTED = ("rx", "ry", "rz", "p", "rxx", "ryy", "rzz", "rzx")
"""Gates that obey the rule (p is rz but for a phase); all others that have parameters are translated to these."""
_FIXED = ("h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg", "cx", "cy", "cz", "swap", "ccx")


class Differentiable:
    """A circuit with observables as a function of its parameters that knows its Jacobian.

    Args:
        circuit: with parameters; what it measures at its end is left out.
        observables: as for `hetero.from_qiskit`, always as a list.

    Raises:
        ModelError: as `hetero.from_qiskit`.

    >>> from qiskit.circuit import Parameter
    >>> circuit = QuantumCircuit(1)
    >>> _ = circuit.rx(2 * Parameter("t"), 0)
    >>> values, jacobian = Differentiable(circuit, ["Z"]).values_and_jacobian([[0.25]])
    >>> values.round(6), jacobian.round(6)       # cos 2t, -2 sin 2t
    (array([[0.877583]]), array([[[-0.958851]]]))
    """

    def __init__(self, circuit: QuantumCircuit, observables: Sequence[Any]) -> None:
        self.op = CircuitOp.from_circuit(circuit, observables=list(observables))
        self.parameters = tuple(self.op.circuit.parameters)
        """In the order of the columns of parameter sets."""
        self._machine = machine_for(Selection())
        self._rng = np.random.default_rng()
        self._adjoint = CircuitGradientOp.of(self.op)

    def values(self, sets: Any) -> Array:
        """Expectation values (sets, observables) of parameter sets (sets, parameters), in radians."""
        return self._run(self.op, self._rows(sets))

    def gradient(self, sets: Any, weights: Any, method: Method = "auto") -> tuple[Array, Array]:
        """The values, and the derivatives (sets, parameters) of their sum over observables, each times its weight
        ``weights`` (sets, observables). What backpropagation asks for.

        Raises:
            InfeasibleError: ``method="adjoint"`` where no device offers it: more qubits than its state vectors have.
        """
        rows = self._rows(sets)
        pull = np.reshape(np.asarray(weights, np.float64), (len(rows), len(self.op.observables)))
        if way := self._adjoint_way(rows, 1, method):
            return self._walked_back(way, rows, pull)
        values, jacobian = self._shifted(rows)
        return values, np.einsum("so,sop->sp", pull, jacobian)

    def values_and_jacobian(self, sets: Any, method: Method = "auto") -> tuple[Array, Array]:
        """The values, and their derivatives (sets, observables, parameters).

        Raises:
            InfeasibleError: as for `gradient`.
        """
        rows, count = self._rows(sets), len(self.op.observables)
        each = np.repeat(rows, count, axis=0)
        way = self._adjoint_way(each, count, method)
        if way is None:
            return self._shifted(rows)
        values, slopes = self._walked_back(way, each, np.tile(np.eye(count), (len(rows), 1)))
        return values[::count], slopes.reshape(len(rows), count, -1)

    def _adjoint_way(self, rows: Array, passes: int, method: Method) -> tuple[DeviceInfo, Variant] | None:
        """Who runs the adjoint method; None where it is not offered or takes more simulations than shifts do."""
        if method not in ("auto", "adjoint", "shift"):
            raise ArgumentError(f"method={method!r}: expected 'auto', 'adjoint' or 'shift'")
        if method == "shift" or not self.parameters:
            return None
        try:
            way = widest(self._adjoint, specs_of([rows]), self._machine)
        except InfeasibleError as error:
            if method == "adjoint":
                raise InfeasibleError(f"{error}; use method='shift'") from error
            return None
        worth = method == "adjoint" or ADJOINT_COST * passes <= 1 + 2 * len(self._gates.offset)
        return way if worth else None

    def _walked_back(
        self, way: tuple[DeviceInfo, Variant], rows: Array, weights: Array
    ) -> tuple[Array, Array]:
        values, slopes = run_on(self._adjoint, *way, [rows, weights])
        return values, slopes

    def _shifted(self, rows: Array) -> tuple[Array, Array]:
        """1 + 2 x gates sets of angles in one batch."""
        angles = self._gates.values(rows)
        count = angles.shape[1]
        shifts = np.concatenate([np.zeros((1, count)), np.eye(count), -np.eye(count)]) * (np.pi / 2)
        batch = (angles[:, None, :] + shifts).reshape(-1, count)
        found = self._run(self._spread, batch).reshape(len(rows), len(shifts), -1)
        by_gate = (found[:, 1 : count + 1] - found[:, count + 1 :]) / 2
        return found[:, 0], np.einsum("sko,skp->sop", by_gate, self._gates.slopes(rows))

    @cached_property
    def _parts(self) -> tuple[CircuitOp, _Angles]:
        spread, angles = _one_parameter_a_gate(self.op.unitary)
        op = CircuitOp.from_circuit(spread, observables=list(self.op.observables), name=self.op.name)
        return op, _Angles.of(angles, self.parameters)

    @property
    def _spread(self) -> CircuitOp:
        return self._parts[0]

    @property
    def _gates(self) -> _Angles:
        return self._parts[1]

    def _rows(self, sets: Any) -> Array:
        shape = np.shape(sets)
        rows, _ = self.op.rows([np.reshape(np.asarray(sets, np.float64), (-1, shape[-1] if shape else 1))])
        return rows

    def _run(self, op: CircuitOp, rows: Array) -> Array:
        return np.asarray(answer(op, rows, self._machine, self._rng).values)


def _one_parameter_a_gate(circuit: QuantumCircuit) -> tuple[QuantumCircuit, list[ParameterExpression]]:
    """The circuit with a parameter of its own in each gate that has any, and the angle that this one stands for."""
    plain = transpile(circuit, basis_gates=[*_SHIFTED, *_FIXED], optimization_level=0)
    spread = plain.copy_empty_like()
    spread.global_phase = 0  # no expectation value sees it
    angles: list[ParameterExpression] = []
    for instruction in plain.data:
        operation = instruction.operation
        if any(isinstance(p, ParameterExpression) and p.parameters for p in operation.params):
            angles.append(operation.params[0])
            # Names in the order of the gates, so that Qiskit's alphabetic order is that one.
            own = Parameter(f"g{len(angles):09d}")
            operation = type(operation)(own)
        spread.append(operation, instruction.qubits)
    return spread, angles


@dataclass(frozen=True, slots=True)
class _Angles:
    """Angles of gates as functions of the parameters: linear ones as a matrix, the others one by one."""

    slope: Array
    offset: Array
    curved: tuple[tuple[int, ParameterExpression], ...]
    parameters: tuple[Parameter, ...]

    @classmethod
    def of(cls, angles: Sequence[ParameterExpression], parameters: tuple[Parameter, ...]) -> _Angles:
        slope, offset = np.zeros((len(angles), len(parameters))), np.zeros(len(angles))
        curved = []
        for row, angle in enumerate(angles):
            own = {p: angle.gradient(p) for p in angle.parameters}
            if any(getattr(g, "parameters", ()) for g in own.values()):
                curved.append((row, angle))
                continue
            for p, gradient in own.items():
                slope[row, parameters.index(p)] = _real(gradient)
            offset[row] = _real(angle.bind(dict.fromkeys(angle.parameters, 0.0)))
        return cls(slope, offset, tuple(curved), parameters)

    def values(self, rows: Array) -> Array:
        """(sets, gates)"""
        table = rows @ self.slope.T + self.offset
        for gate, angle in self.curved:
            table[:, gate] = [_real(angle.bind(self._bound(row, angle))) for row in rows]
        return np.asarray(table)

    def slopes(self, rows: Array) -> Array:
        """(sets, gates, parameters)"""
        table = np.repeat(self.slope[None], len(rows), axis=0)
        for gate, angle in self.curved:
            for p in angle.parameters:
                gradient = angle.gradient(p)
                column = self.parameters.index(p)
                for place, row in enumerate(rows):
                    bound = self._bound(row, gradient)
                    table[place, gate, column] = _real(gradient.bind(bound) if bound else gradient)
        return table

    def _bound(self, row: Array, expression: Any) -> dict[Parameter, float]:
        return {p: float(row[self.parameters.index(p)]) for p in getattr(expression, "parameters", ())}


def _real(value: Any) -> float:
    return float(np.real(complex(value)))
