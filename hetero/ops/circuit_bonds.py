"""What a matrix product state of a circuit takes at most, and what it is likely to take: from its gates alone.

The state is a chain of tensors; the tensor of a site has the bond dimensions of the cuts at its left and right. A gate
across a cut multiplies its Schmidt rank by at most 4**min(qubits left, qubits right), a controlled one-qubit gate by 2,
and no rank exceeds twice that of the cut beside it (Vidal, Physical Review Letters 91, 147902, 2003,
doi:10.1103/PhysRevLett.91.147902).

That many dimensions are seldom all needed: a controlled phase of a small angle hardly entangles. The sum of a state's
Schmidt coefficients is multiplied by at most the sum of the gate's own (of a turn by a about a product of Paulis
|cos a/2| + |sin a/2|), and 2 log2 of it is the Renyi entropy of order 1/2, which tells when few dimensions do (Schuch,
Wolf, Verstraete and Cirac, Physical Review Letters 100, 030504, 2008, doi:10.1103/PhysRevLett.100.030504). Two to the
power of that entropy is the likely bond dimension.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hetero.ops.circuit_build import places

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["BondBound", "bond_bound"]

RANK_TWO = frozenset("cx cy cz ch cp cu1 crx cry crz csx cs csdg rzz rxx ryy rzx".split())  # noqa: SIM905
"""Two-qubit gates of operator Schmidt rank 2."""

_TURNS, _CONTROLLED_TURNS = ("rzz", "rxx", "ryy", "rzx"), ("cp", "cu1", "crz", "crx", "cry")
"""Those that turn about a product of two Pauli operators by their angle; and by half of it, but for one-qubit gates."""

WIDEST = 60
"""Ranks are kept as powers of two; beyond this one nothing differs."""


@dataclass(frozen=True, slots=True)
class BondBound:
    """``ranks``: log2 of the largest bond dimension of each cut; ``cubes``: the sum of the cubes of the bond
    dimensions over all two-site updates, which the time follows; ``updates``: how many of these there are. ``likely``
    and ``likely_cubes``: the same of the bond dimensions that the entropy leaves."""

    ranks: tuple[int, ...]
    cubes: float
    updates: int
    likely: tuple[float, ...]
    likely_cubes: float

    @property
    def most(self) -> int:
        return max(self.ranks, default=0)

    @property
    def nbytes(self) -> float:
        """Of the tensors in double precision: two matrices of left x right complex numbers a site."""
        padded = (0, *self.ranks, 0)
        return sum(2.0 * 16.0 * 2.0 ** (a + b) for a, b in pairwise(padded))

    def as_likely(self) -> BondBound:
        """What is likely in the place of the bound."""
        ranks = tuple(math.ceil(rank) for rank in self.likely)
        return replace(self, ranks=ranks, cubes=self.likely_cubes)

    def least(self) -> BondBound:
        """Bond dimensions of 2 at most: a circuit that always undoes what it has entangled comes out here."""
        return replace(self, ranks=tuple(min(rank, 1) for rank in self.ranks), cubes=8.0 * self.updates)


def bond_bound(circuit: QuantumCircuit) -> BondBound:
    """The bound for a circuit in its own order of qubits, gates inside branches counted as well."""
    n = circuit.num_qubits
    ranks, entropies = [0] * max(n - 1, 0), [0.0] * max(n - 1, 0)
    cubes, likely_cubes, updates = 0.0, 0.0, 0
    place = places(circuit)
    for instruction in circuit.data:
        if len(instruction.qubits) < 2 or instruction.name == "barrier":
            continue
        qubits = sorted(place[qubit] for qubit in instruction.qubits)
        first, last = qubits[0], qubits[-1]
        rank_two = len(qubits) == 2 and instruction.name in RANK_TWO
        turn = _entropy(instruction) if rank_two else None
        for cut in range(first, last):
            left = sum(q <= cut for q in qubits)
            more = 1 if rank_two else 2 * min(left, len(qubits) - left)
            ranks[cut] += more
            entropies[cut] += more if turn is None else turn
        _tighten(ranks, first, last, n)
        for cut in range(first, last):
            entropies[cut] = min(entropies[cut], ranks[cut])
            cubes += 8.0 ** ranks[cut]
            likely_cubes += 8.0 ** entropies[cut]
        updates += last - first
    return BondBound(tuple(ranks), cubes, updates, tuple(entropies), likely_cubes)


def _entropy(instruction: Any) -> float:
    """Of a gate of operator Schmidt rank 2: its Renyi entropy of order 1/2, 1 bit where its angle is not known."""
    share = {**dict.fromkeys(_TURNS, 1.0), **dict.fromkeys(_CONTROLLED_TURNS, 0.5)}.get(instruction.name)
    if share is None:
        return 1.0
    try:
        angle = share * float(instruction.params[0])
    except TypeError:  # a parameter without a value
        return 1.0
    return math.log2(1.0 + abs(math.sin(angle)))


def _tighten(ranks: list[int], first: int, last: int, n: int) -> None:
    """No rank is more than one above its neighbour's, or above what the shorter side can hold."""
    for cut in range(first, last):
        before = ranks[cut - 1] if cut else 0
        ranks[cut] = min(ranks[cut], before + 1, cut + 1, n - cut - 1, WIDEST)
    for cut in range(last - 1, first - 1, -1):
        after = ranks[cut + 1] if cut + 1 < n - 1 else 0
        ranks[cut] = min(ranks[cut], after + 1)
