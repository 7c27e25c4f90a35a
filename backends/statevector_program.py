"""A circuit as steps for the batched kernels, and its gates' angles for many parameter sets."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.backends.statevector_kernels import CP, CX, CZ, LANES, MATRIX, PHASE, RZZ, SWAP

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["BASIS", "Program", "translate"]

Array = np.ndarray[Any, Any]

BASIS = ("rx", "ry", "rz", "p", "h", "u", "cx", "cz", "cp", "rzz", "swap")
"""The gates that a circuit is translated to before `translate`."""

_TWO_QUBIT = {"cx": CX, "cz": CZ, "cp": CP, "rzz": RZZ, "swap": SWAP}

_HALF = np.pi / 2


@dataclass(frozen=True, slots=True)
class Program:
    """``steps`` (kind, a, b, slot); ``first``: the slot of each qubit's leading gates; ``slots`` (start, stop)
    in ``gates`` (theta/2, phi, lambda), which are rows of the table of angles."""

    qubits: int
    steps: Array
    first: Array
    slots: Array
    gates: Array
    angles: Callable[[Array], Array]
    """Parameter sets (sets, n) -> angles in radians (rows, sets)."""

    @property
    def arrays(self) -> tuple[int, Array, Array, Array, Array]:
        """The leading arguments of the kernels."""
        return self.qubits, self.steps, self.first, self.slots, self.gates

    def trig(self, rows: Array) -> Array:
        """Cosines and sines (2, rows, blocks, LANES); the last block is filled up with copies of the last set."""
        blocks = -(-len(rows) // LANES)
        angles = self.angles(rows[np.minimum(np.arange(blocks * LANES), len(rows) - 1)])
        return np.stack([np.cos(angles), np.sin(angles)]).reshape(2, -1, blocks, LANES)


class _Angles:
    """The table of angles while a circuit is read: each distinct ``factor * expression`` is one row."""

    def __init__(self) -> None:
        self.rows: dict[tuple[float, Any], int] = {}

    def row(self, expression: Any, factor: float = 1.0) -> int:
        return self.rows.setdefault((factor, expression), len(self.rows))


def translate(circuit: QuantumCircuit, parameters: Sequence[Any]) -> Program:
    """Translate a circuit without measurements whose gates are all in ``BASIS``.

    Runs of one-qubit gates become one step each; those before a qubit's first two-qubit gate become the start.
    Global phases are dropped: no expectation value or probability sees them.
    """
    table = _Angles()
    gates: list[tuple[int, int, int]] = []
    slots: list[tuple[int, int]] = []
    steps: list[tuple[int, int, int, int]] = []
    first = [-1] * circuit.num_qubits
    waiting: list[list[tuple[int, int, int]]] = [[] for _ in first]
    zero = table.row(0.0)

    def new_slot(members: Sequence[tuple[int, int, int]]) -> int:
        slots.append((len(gates), len(gates) + len(members)))
        gates.extend(members)
        return len(slots) - 1

    def flush(qubit: int) -> None:
        members, waiting[qubit] = waiting[qubit], []
        if first[qubit] < 0:
            first[qubit] = new_slot(members)
        elif members:
            diagonal = all(half == zero for half, _, _ in members)
            steps.append((PHASE if diagonal else MATRIX, qubit, qubit, new_slot(members)))

    for instruction in circuit.data:
        name, params = instruction.operation.name, instruction.operation.params
        qubits = [circuit.find_bit(q).index for q in instruction.qubits]
        if name in ("barrier", "delay", "id"):
            continue
        if len(qubits) == 1:
            waiting[qubits[0]].append(_one_qubit(name, params, table))
            continue
        for qubit in qubits:
            flush(qubit)
        slot = new_slot([(zero, zero, table.row(params[0]))]) if params else 0
        steps.append((_TWO_QUBIT[name], qubits[0], qubits[1], slot))
    for qubit in range(circuit.num_qubits):
        flush(qubit)
    return Program(
        circuit.num_qubits,
        np.array(steps, np.int64).reshape(-1, 4),
        np.array(first, np.int64),
        np.array(slots, np.int64).reshape(-1, 2),
        np.array(gates, np.int64).reshape(-1, 3),
        _evaluator(list(table.rows), list(parameters)),
    )


def _one_qubit(name: str, params: Sequence[Any], table: _Angles) -> tuple[int, int, int]:
    """A gate as U(theta, phi, lambda) up to a global phase: rows of theta/2, phi, lambda."""
    zero = table.row(0.0)
    if name == "rx":
        return table.row(params[0], 0.5), table.row(-_HALF), table.row(_HALF)
    if name == "ry":
        return table.row(params[0], 0.5), zero, zero
    if name == "h":
        return table.row(_HALF, 0.5), zero, table.row(np.pi)
    if name in ("rz", "p"):
        return zero, zero, table.row(params[0])
    theta, phi, lam = params
    return table.row(theta, 0.5), table.row(phi), table.row(lam)


def _evaluator(rows: Sequence[tuple[float, Any]], parameters: Sequence[Any]) -> Callable[[Array], Array]:
    """All rows at once: those linear in the parameters as one matrix product, the others one by one."""
    slope = np.zeros((len(rows), len(parameters)))
    offset = np.zeros((len(rows), 1))
    curved: list[tuple[int, float, Callable[..., Any]]] = []
    column = {parameter: i for i, parameter in enumerate(parameters)}
    for index, (factor, expression) in enumerate(rows):
        own = getattr(expression, "parameters", ())
        slopes = {p: expression.gradient(p) for p in own}
        if any(getattr(s, "parameters", ()) for s in slopes.values()):
            curved.append((index, factor, _compiled(expression, parameters)))
            continue
        for p, s in slopes.items():
            slope[index, column[p]] = factor * _real(s)
        offset[index] = factor * _real(expression.bind(dict.fromkeys(own, 0.0)) if own else expression)

    def angles(sets: Array) -> Array:
        table = slope @ sets.T + offset
        for index, factor, function in curved:
            table[index] = factor * np.real(function(*sets.T))
        return table

    return angles


def _real(value: Any) -> float:
    return float(np.real(complex(value)))


def _compiled(expression: Any, parameters: Sequence[Any]) -> Callable[..., Any]:
    """A nonlinear expression as a NumPy function of all parameters in order."""
    sympy: Any = importlib.import_module("sympy")  # comes with qiskit
    formula = expression.sympify()
    known = {str(symbol): symbol for symbol in formula.free_symbols}
    symbols = [known.get(str(p), sympy.Dummy()) for p in parameters]
    function: Callable[..., Any] = sympy.lambdify(symbols, formula, "numpy")
    return function
