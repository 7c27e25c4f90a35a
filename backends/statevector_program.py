"""A circuit as steps for the batched kernels, and its gates' angles for many parameter sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.backends.statevector_angles import Angles
from hetero.backends.statevector_frame import LANES, Frame, parities
from hetero.backends.statevector_kernels import BOTH, MATRIX, ODD, SIGN
from hetero.ops.circuit_build import places
from hetero.ops.pauli import PauliTerms

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["BASIS", "NAMES", "Program", "translate"]

Array = np.ndarray[Any, Any]

_PI = np.pi

_FIXED = {
    "x": (_PI, 0.0, _PI),
    "y": (_PI, _PI / 2, _PI / 2),
    "z": (0.0, 0.0, _PI),
    "h": (_PI / 2, 0.0, _PI),
    "s": (0.0, 0.0, _PI / 2),
    "sdg": (0.0, 0.0, -_PI / 2),
    "t": (0.0, 0.0, _PI / 4),
    "tdg": (0.0, 0.0, -_PI / 4),
    "sx": (_PI / 2, -_PI / 2, _PI / 2),
    "sxdg": (-_PI / 2, -_PI / 2, _PI / 2),
}
"""One-qubit gates without angles as U(theta, phi, lambda), up to a global phase."""

_TURNS: Mapping[str, Callable[..., tuple[Any, Any, Any]]] = {
    "rx": lambda angle: (angle, -_PI / 2, _PI / 2),
    "ry": lambda angle: (angle, 0.0, 0.0),
    "rz": lambda angle: (0.0, 0.0, angle),
    "p": lambda angle: (0.0, 0.0, angle),
    "u1": lambda angle: (0.0, 0.0, angle),
    "u2": lambda phi, lam: (_PI / 2, phi, lam),
    "u": lambda theta, phi, lam: (theta, phi, lam),
    "u3": lambda theta, phi, lam: (theta, phi, lam),
}
_TWO_QUBIT = ("cx", "cz", "cp", "rzz", "swap")

BASIS = (*_TURNS, *_FIXED, *_TWO_QUBIT)
"""The gates that `translate` takes."""

NAMES = frozenset((*BASIS, "id", "barrier", "delay"))
"""The names of instructions in a circuit that needs no translation to `BASIS`."""


@dataclass(frozen=True, eq=False)
class Program:
    """``steps`` (kind, a, b, slot) as `statevector_kernels` has them; ``first``: the slot of each qubit's leading
    gates; ``slots`` (start, stop) in ``gates`` (theta/2, phi, lambda), which are rows of the table of ``angles``."""

    frame: Frame
    steps: Array
    first: Array
    slots: Array
    gates: Array
    angles: Angles

    @property
    def qubits(self) -> int:
        return len(self.first)

    @cached_property
    def parity(self) -> Array:
        return parities(self.qubits)

    @property
    def arrays(self) -> tuple[Array, Array, Array, Array, Array]:
        """The leading arguments of the kernels."""
        return self.steps, self.first, self.slots, self.gates, self.parity

    def trig(self, rows: Array) -> Array:
        """Cosines and sines (2, angles, blocks, LANES); the last block is filled up with copies of the last set."""
        blocks = -(-len(rows) // LANES)
        spare = blocks * LANES - len(rows)
        table = self.angles.table(np.concatenate([rows, rows[-1:].repeat(spare, 0)]) if spare else rows)
        found = np.empty((2, *table.shape))
        np.cos(table, out=found[0])
        np.sin(table, out=found[1])
        return found.reshape(2, -1, blocks, LANES)

    def terms(self, terms: PauliTerms) -> tuple[Array, Array]:
        """Pauli strings as they act on places: rows (x, z, power of i, owner), those of Z alone first; and weights."""
        rows = [
            (
                self.frame.flips(x),
                self.frame.signs(z),
                (x & z).bit_count() & 3,
                owner,
            )
            for x, z, owner in zip(terms.x.tolist(), terms.z.tolist(), terms.owners.tolist(), strict=True)
        ]
        order = np.argsort([row[0] != 0 for row in rows], kind="stable")
        return np.array(rows, np.int64).reshape(-1, 4)[order], terms.coefficients[order]


class _Slots:
    """Runs of one-qubit gates, collected until something on another qubit needs them done."""

    def __init__(self, qubits: int, angles: Angles) -> None:
        self.angles = angles
        self.gates: list[tuple[int, int, int]] = []
        self.slots: list[tuple[int, int]] = []
        self.first = [-1] * qubits
        self.waiting: list[list[tuple[int, int, int]]] = [[] for _ in range(qubits)]
        self.zero = angles.row(0.0)

    def wait(self, qubit: int, theta: Any, phi: Any, lam: Any) -> None:
        rows = self.angles.row(theta, 0.5), self.angles.row(phi), self.angles.row(lam)
        self.waiting[qubit].append(rows)

    def new(self, members: Sequence[tuple[int, int, int]]) -> int:
        self.slots.append((len(self.gates), len(self.gates) + len(members)))
        self.gates.extend(members)
        return len(self.slots) - 1

    def flush(self, qubit: int, frame: Frame, steps: list[tuple[int, int, int, int]]) -> None:
        """Make a step of what waits on a qubit; the first one becomes its start."""
        members, self.waiting[qubit] = self.waiting[qubit], []
        if self.first[qubit] < 0:
            self.first[qubit] = self.new(members)
        elif members:
            diagonal = all(half == self.zero and phi == self.zero for half, phi, _ in members)
            kind = ODD if diagonal else MATRIX
            steps.append((kind, frame.rows[qubit], frame.columns[qubit], self.new(members)))


def translate(circuit: QuantumCircuit, parameters: Sequence[Any]) -> Program:
    """Translate a circuit without measurements whose gates are all in ``BASIS``.

    Runs of one-qubit gates become one step each; those before a qubit's first two-qubit gate become the start. CX and
    SWAP become no step at all, see `Frame`. Global phases are dropped: no expectation value or probability sees them.
    """
    frame = Frame(circuit.num_qubits)
    angles = Angles(parameters)
    slots = _Slots(circuit.num_qubits, angles)
    steps: list[tuple[int, int, int, int]] = []
    place = places(circuit)
    for instruction in circuit.data:
        name, params = instruction.name, instruction.params
        if name in ("barrier", "delay", "id"):
            continue
        qubits = [place[qubit] for qubit in instruction.qubits]
        if len(qubits) == 1:
            slots.wait(qubits[0], *(_FIXED[name] if name in _FIXED else _TURNS[name](*params)))
            continue
        a, b = qubits
        if name == "swap":  # what waits moves along
            if slots.first[a] < 0 or slots.first[b] < 0:
                slots.flush(a, frame, steps)
                slots.flush(b, frame, steps)
            slots.waiting[a], slots.waiting[b] = slots.waiting[b], slots.waiting[a]
            frame.swap(a, b)
            continue
        slots.flush(a, frame, steps)
        slots.flush(b, frame, steps)
        if name == "cx":
            frame.cx(a, b)
        elif name == "rzz":  # up to a global phase
            slot = slots.new([(slots.zero, slots.zero, angles.row(params[0]))])
            steps.append((ODD, frame.rows[a] ^ frame.rows[b], 0, slot))
        elif name == "cp":
            slot = slots.new([(slots.zero, slots.zero, angles.row(params[0]))])
            steps.append((BOTH, frame.rows[a], frame.rows[b], slot))
        else:
            steps.append((SIGN, frame.rows[a], frame.rows[b], 0))
    for qubit in range(circuit.num_qubits):
        slots.flush(qubit, frame, steps)
    return Program(
        frame,
        np.array(steps, np.int64).reshape(-1, 4),
        np.array(slots.first, np.int64),
        np.array(slots.slots, np.int64).reshape(-1, 2),
        np.array(slots.gates, np.int64).reshape(-1, 3),
        angles.compiled(),
    )
