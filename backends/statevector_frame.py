"""Where the amplitude of a basis state lies, when gates that only permute basis states move nothing.

CX and SWAP map basis states by a linear map over bits. So instead of moving amplitudes, the map is kept: bit q of the
basis state whose amplitude lies at place s is the parity of ``s & rows[q]``, and flipping it leads to place ``s ^
columns[q]``. A later gate on qubit q pairs those two places. (The same bookkeeping as a stabilizer tableau's,
Aaronson and Gottesman, Physical Review A 70, 052328, 2004, without its phases.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["LANES", "Frame", "parities"]

LANES = 8
"""Parameter sets of a block, side by side. It is here because the kernels, which have it too, load numba."""

Array = np.ndarray[Any, Any]


class Frame:
    """Begins with every amplitude in its place.

    >>> frame = Frame(2)
    >>> frame.cx(0, 1)
    >>> frame.states().tolist()  # place 1 now holds the amplitude of state 3
    [0, 3, 2, 1]
    """

    def __init__(self, qubits: int) -> None:
        self.rows = [1 << qubit for qubit in range(qubits)]
        self.columns = list(self.rows)

    def cx(self, control: int, target: int) -> None:
        self.rows[target] ^= self.rows[control]
        self.columns[control] ^= self.columns[target]

    def swap(self, a: int, b: int) -> None:
        for masks in (self.rows, self.columns):
            masks[a], masks[b] = masks[b], masks[a]

    def flips(self, bits: int) -> int:
        """What flipping these bits of the basis state does to the place."""
        return _xor(self.columns, bits)

    def signs(self, bits: int) -> int:
        """The mask whose parity on a place is that of these bits of the basis state."""
        return _xor(self.rows, bits)

    def states(self) -> Array:
        """The basis state whose amplitude lies at each place."""
        parity = parities(len(self.rows))
        places = np.arange(len(parity))
        found = np.zeros(len(parity), np.int64)
        for qubit, row in enumerate(self.rows):
            found |= parity[places & row].astype(np.int64) << qubit
        return found


def parities(qubits: int) -> Array:
    """Whether each number of so many bits has an odd number of them set: a table is cheaper than counting."""
    return (np.bitwise_count(np.arange(1 << qubits)) & 1).astype(np.uint8)


def _xor(masks: list[int], bits: int) -> int:
    found = 0
    for qubit, mask in enumerate(masks):
        if bits >> qubit & 1:
            found ^= mask
    return found
