"""State vectors of many parameter sets at once, compiled by numba.

The sets are the fast axis: a block holds ``LANES`` of them as ``re[2**n, LANES]`` and ``im[2**n, LANES]``. Every
gate on every qubit is then the same stride-1 arithmetic on vectors of lanes, whatever its stride among the
amplitudes; eight qubits take 32 KiB a block, which stays in the first cache.

Angles differ from set to set, and so do the gates' coefficients ``c[slot, entry, real or imaginary, lane]``, which
are made of the cosines and sines ``trig[2, row, block, lane]`` of the program's angles.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["CP", "CX", "CZ", "LANES", "MATRIX", "PHASE", "RZZ", "SWAP", "expectations", "probabilities"]

LANES = 8
"""Parameter sets side by side: a vector of eight doubles is one AVX-512 or two AVX2 registers."""

MATRIX, PHASE, RZZ, CP, CX, CZ, SWAP = range(7)
"""Kinds of steps: one-qubit matrices and diagonals, two-qubit diagonals, permutations and signs."""

Array = np.ndarray[Any, Any]

_compiled = njit(nogil=True, fastmath=True, cache=True)


@_compiled
def _fill(c: Array, slots: Array, gates: Array, trig: Array, block: int) -> None:
    """Multiply up the one-qubit gates of each slot; copy the phase of a two-qubit diagonal.

    ``slots[slot] = (start, stop)`` in ``gates[:, (theta/2, phi, lambda)]``, rows of angles. A gate is
    U(theta, phi, lambda) = [[cos, -e^(i lambda) sin], [e^(i phi) sin, e^(i (phi + lambda)) cos]].
    """
    for slot in range(len(slots)):
        m = c[slot]
        m[:] = 0.0
        m[0, 0] = 1.0
        m[3, 0] = 1.0
        for g in range(slots[slot, 0], slots[slot, 1]):
            half, phi, lam = gates[g]
            for w in range(LANES):
                cos, sin = trig[0, half, block, w], trig[1, half, block, w]
                p = complex(trig[0, phi, block, w], trig[1, phi, block, w])
                l = complex(trig[0, lam, block, w], trig[1, lam, block, w])  # noqa: E741  # lambda
                for column in range(2):
                    top = complex(m[column, 0, w], m[column, 1, w])
                    low = l * complex(m[2 + column, 0, w], m[2 + column, 1, w])
                    new_top, new_low = cos * top - sin * low, p * (sin * top + cos * low)
                    m[column, 0, w], m[column, 1, w] = new_top.real, new_top.imag
                    m[2 + column, 0, w], m[2 + column, 1, w] = new_low.real, new_low.imag


@_compiled
def _product_state(re: Array, im: Array, coefficients: Array, first: Array) -> None:
    """The state that each qubit's leading gates make from |0>: a tensor product, built by doubling."""
    for w in range(LANES):
        re[0, w] = 1.0
        im[0, w] = 0.0
    for q in range(len(first)):
        c = coefficients[first[q]]
        size = 1 << q
        for k in range(size):
            for w in range(LANES):
                r, i = re[k, w], im[k, w]
                re[k + size, w] = r * c[2, 0, w] - i * c[2, 1, w]
                im[k + size, w] = r * c[2, 1, w] + i * c[2, 0, w]
                re[k, w] = r * c[0, 0, w] - i * c[0, 1, w]
                im[k, w] = r * c[0, 1, w] + i * c[0, 0, w]


@_compiled
def _matrix(re: Array, im: Array, c: Array, a: int) -> None:
    size = 1 << a
    for base in range(0, len(re), 2 * size):
        for k in range(base, base + size):
            j = k + size
            for w in range(LANES):
                r0, i0, r1, i1 = re[k, w], im[k, w], re[j, w], im[j, w]
                re[k, w] = c[0, 0, w] * r0 - c[0, 1, w] * i0 + c[1, 0, w] * r1 - c[1, 1, w] * i1
                im[k, w] = c[0, 0, w] * i0 + c[0, 1, w] * r0 + c[1, 0, w] * i1 + c[1, 1, w] * r1
                re[j, w] = c[2, 0, w] * r0 - c[2, 1, w] * i0 + c[3, 0, w] * r1 - c[3, 1, w] * i1
                im[j, w] = c[2, 0, w] * i0 + c[2, 1, w] * r0 + c[3, 0, w] * i1 + c[3, 1, w] * r1


@_compiled
def _parity(bits: int) -> int:
    bits ^= bits >> 16
    bits ^= bits >> 8
    bits ^= bits >> 4
    bits ^= bits >> 2
    bits ^= bits >> 1
    return bits & 1


@_compiled
def _phase(re: Array, im: Array, c: Array, mask: int, parity: bool) -> None:
    """Multiply by c[3] where all bits of ``mask`` are set, or where an odd number of them is."""
    for k in range(len(re)):
        hit = _parity(k & mask) == 1 if parity else k & mask == mask
        if hit:
            for w in range(LANES):
                r, i = re[k, w], im[k, w]
                re[k, w] = r * c[3, 0, w] - i * c[3, 1, w]
                im[k, w] = r * c[3, 1, w] + i * c[3, 0, w]


@_compiled
def _exchange(re: Array, im: Array, need: int, mask: int, flip: int) -> None:
    """Exchange amplitudes k and k ^ flip wherever ``k & mask == need``."""
    for k in range(len(re)):
        if k & mask == need:
            j = k ^ flip
            for w in range(LANES):
                re[k, w], re[j, w] = re[j, w], re[k, w]
                im[k, w], im[j, w] = im[j, w], im[k, w]


@_compiled
def _negate(re: Array, im: Array, mask: int) -> None:
    for k in range(len(re)):
        if k & mask == mask:
            for w in range(LANES):
                re[k, w] = -re[k, w]
                im[k, w] = -im[k, w]


@_compiled
def _evolve(re: Array, im: Array, c: Array, steps: Array, first: Array) -> None:
    """Run the steps (kind, a, b, slot) of one block."""
    _product_state(re, im, c, first)
    for s in range(len(steps)):
        kind, a, b, slot = steps[s]
        if kind == MATRIX:
            _matrix(re, im, c[slot], a)
        elif kind == PHASE:
            _phase(re, im, c[slot], 1 << a, False)
        elif kind == CP:
            _phase(re, im, c[slot], 1 << a | 1 << b, False)
        elif kind == RZZ:  # up to a global phase
            _phase(re, im, c[slot], 1 << a | 1 << b, True)
        elif kind == CX:
            _exchange(re, im, 1 << a, 1 << a | 1 << b, 1 << b)
        elif kind == CZ:
            _negate(re, im, 1 << a | 1 << b)
        else:
            _exchange(re, im, 1 << a, 1 << a | 1 << b, 1 << a | 1 << b)


@_compiled
def _term(re: Array, im: Array, x: int, z: int, coefficient: float, out: Array) -> None:
    """Add ``coefficient * <P>`` to ``out[LANES]``; see hetero.ops.pauli for x, z and the phase.

    The sum is real: amplitudes k and k ^ x give conjugate products, so half of the pairs, doubled, are enough.
    """
    power = 0  # number of Y: the phase is i to this power
    for q in range(32):
        power += (x & z) >> q & 1
    power &= 3
    scale = coefficient if x == 0 else 2.0 * coefficient
    sum_re = np.zeros(LANES)
    for k in range(len(re)):
        j = k ^ x
        if j < k:
            continue
        sign = 1.0 - 2.0 * _parity(k & z)
        if power == 2 or power == 3:
            sign = -sign
        if power & 1:  # Re(i c) = -Im(c), c = conj(psi_j) psi_k
            for w in range(LANES):
                sum_re[w] -= sign * (re[j, w] * im[k, w] - im[j, w] * re[k, w])
        else:
            for w in range(LANES):
                sum_re[w] += sign * (re[j, w] * re[k, w] + im[j, w] * im[k, w])
    for w in range(LANES):
        out[w] += scale * sum_re[w]


@_compiled
def expectations(
    qubits: int,
    steps: Array,
    first: Array,
    slots: Array,
    gates: Array,
    trig: Array,
    x: Array,
    z: Array,
    weights: Array,
    owners: Array,
    out: Array,
    start: int,
    stop: int,
) -> None:
    """Add to ``out[block, observable, lane]`` the expectation values of the blocks' states."""
    re, im = np.empty((1 << qubits, LANES)), np.empty((1 << qubits, LANES))
    c = np.empty((len(slots), 4, 2, LANES))
    for block in range(start, stop):
        _fill(c, slots, gates, trig, block)
        _evolve(re, im, c, steps, first)
        for t in range(len(x)):
            _term(re, im, x[t], z[t], weights[t], out[block, owners[t]])


@_compiled
def probabilities(
    qubits: int,
    steps: Array,
    first: Array,
    slots: Array,
    gates: Array,
    trig: Array,
    out: Array,
    start: int,
    stop: int,
) -> None:
    """Write to ``out[block, 2**qubits, lane]`` the probability of every basis state."""
    re, im = np.empty((1 << qubits, LANES)), np.empty((1 << qubits, LANES))
    c = np.empty((len(slots), 4, 2, LANES))
    for block in range(start, stop):
        _fill(c, slots, gates, trig, block)
        _evolve(re, im, c, steps, first)
        for k in range(len(re)):
            for w in range(LANES):
                out[block, k, w] = re[k, w] * re[k, w] + im[k, w] * im[k, w]
