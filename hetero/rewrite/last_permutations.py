"""Compute on the counted bits what permutes basis states right before they are measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.ops.circuit_build import places, rebuilt
from hetero.rewrite.gate_axes import DIAGONAL

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["BitProgram", "without_last_permutations"]

_FLIPS = frozenset(("x", "y", "cx", "cy", "ccx", "rccx", "mcx", "rcccx"))
"""The last qubit is flipped where all others are 1; phases beside cannot be seen."""

_EXCHANGES = frozenset(("swap", "iswap", "cswap"))
"""The last two qubits are exchanged where all others are 1."""


@dataclass(frozen=True, slots=True)
class BitProgram:
    """Gates on bits, (name, places) in order, and where each classical bit is found afterwards."""

    gates: tuple[tuple[str, tuple[int, ...]], ...]
    final: tuple[tuple[int, int], ...]

    @property
    def needed(self) -> frozenset[int]:
        """The places whose values decide the classical bits."""
        found = {place for _, place in self.final}
        for name, qubits in reversed(self.gates):
            if found.intersection(qubits[-2:] if name in _EXCHANGES else qubits[-1:]):
                found.update(qubits)
        return frozenset(found)

    def run(self, counts: Mapping[int, int]) -> dict[int, int]:
        """Values of the classical bits, from values whose bit i is place i."""
        width = 1 + max((place for place in self.needed), default=0)
        table = np.array([[value >> place & 1 for place in range(width)] for value in counts], bool)
        for name, qubits in self.gates:
            if max(qubits) >= width:
                continue  # it cannot reach a needed place, or its places would be needed
            if name in _EXCHANGES:
                *controls, a, b = qubits
                differ = table[:, controls].all(1) & (table[:, a] ^ table[:, b])
                table[:, a] ^= differ
                table[:, b] ^= differ
            else:
                *controls, target = qubits
                table[:, target] ^= table[:, controls].all(1)
        found: dict[int, int] = {}
        for row, times in zip(table.tolist(), counts.values(), strict=True):
            bits = sum(row[place] << clbit for clbit, place in self.final)
            found[bits] = found.get(bits, 0) + times
        return found


def without_last_permutations(
    circuit: QuantumCircuit, final: Mapping[int, int]
) -> tuple[QuantumCircuit, BitProgram]:
    """The circuit without the gates that do no more than permute basis states (up to phases) before all that follows is
    measured, and these gates on bits. ``final``: classical bit -> qubit.

    Measuring in the computational basis and then permuting what was found is the same as the other way round. So of an
    adder that works on a superposition only the superposition is simulated.

    >>> from qiskit import QuantumCircuit
    >>> circuit = QuantumCircuit(2)
    >>> _ = circuit.h(0), circuit.cx(0, 1)
    >>> bare, program = without_last_permutations(circuit, {0: 0, 1: 1})
    >>> [i.name for i in bare.data], program.run({0b00: 3, 0b01: 4})
    (['h'], {0: 3, 3: 4})
    """
    place = places(circuit)
    kept: list[Any] = []
    moved: list[tuple[str, tuple[int, ...]]] = []
    busy: set[Any] = set()
    for instruction in reversed(circuit.data):
        if instruction.name == "barrier":
            continue
        if busy.intersection(instruction.qubits) or not _permutes(instruction):
            busy.update(instruction.qubits)
            kept.append(instruction)
        elif instruction.name not in DIAGONAL:
            moved.append((instruction.name, tuple(place[qubit] for qubit in instruction.qubits)))
    return rebuilt(circuit, kept[::-1]), BitProgram(tuple(moved[::-1]), tuple(sorted(final.items())))


def _permutes(instruction: Any) -> bool:
    return instruction.name in DIAGONAL or instruction.name in _FLIPS or instruction.name in _EXCHANGES
