"""A bound on what a matrix product state of a circuit takes, from which qubits its gates join.

The state is a chain of tensors; the tensor of a site has the bond dimensions of the cuts at its left and right. A gate
across a cut multiplies its Schmidt rank by at most 4**min(qubits left, qubits right), a controlled one-qubit gate by 2,
and no rank exceeds twice that of the cut beside it (Vidal, Physical Review Letters 91, 147902, 2003,
doi:10.1103/PhysRevLett.91.147902).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from hetero.ops.circuit_build import places

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["BondBound", "bond_bound"]

RANK_TWO = frozenset("cx cy cz ch cp cu1 crx cry crz csx cs csdg rzz rxx ryy rzx".split())  # noqa: SIM905
"""Two-qubit gates of operator Schmidt rank 2."""

WIDEST = 60
"""Ranks are kept as powers of two; beyond this one nothing differs."""


@dataclass(frozen=True, slots=True)
class BondBound:
    """``ranks``: log2 of the largest bond dimension of each cut; ``cubes``: the sum of the cubes of the bond
    dimensions over all two-site updates, which the time follows; ``updates``: how many of these there are."""

    ranks: tuple[int, ...]
    cubes: float
    updates: int

    @property
    def most(self) -> int:
        return max(self.ranks, default=0)

    @property
    def nbytes(self) -> float:
        """Of the tensors in double precision: two matrices of left x right complex numbers a site."""
        padded = (0, *self.ranks, 0)
        return sum(2.0 * 16.0 * 2.0 ** (a + b) for a, b in pairwise(padded))


def bond_bound(circuit: QuantumCircuit) -> BondBound:
    """The bound for a circuit in its own order of qubits, gates inside branches counted as well."""
    n = circuit.num_qubits
    ranks = [0] * max(n - 1, 0)
    cubes, updates = 0.0, 0
    place = places(circuit)
    for instruction in circuit.data:
        if len(instruction.qubits) < 2 or instruction.name == "barrier":
            continue
        qubits = sorted(place[qubit] for qubit in instruction.qubits)
        first, last = qubits[0], qubits[-1]
        rank_two = len(qubits) == 2 and instruction.name in RANK_TWO
        for cut in range(first, last):
            left = sum(q <= cut for q in qubits)
            ranks[cut] += 1 if rank_two else 2 * min(left, len(qubits) - left)
        _tighten(ranks, first, last, n)
        for cut in range(first, last):
            cubes += 8.0 ** ranks[cut]
        updates += last - first
    return BondBound(tuple(ranks), cubes, updates)


def _tighten(ranks: list[int], first: int, last: int, n: int) -> None:
    """No rank is more than one above its neighbour's, or above what the shorter side can hold."""
    for cut in range(first, last):
        before = ranks[cut - 1] if cut else 0
        ranks[cut] = min(ranks[cut], before + 1, cut + 1, n - cut - 1, WIDEST)
    for cut in range(last - 1, first - 1, -1):
        after = ranks[cut + 1] if cut + 1 < n - 1 else 0
        ranks[cut] = min(ranks[cut], after + 1)
