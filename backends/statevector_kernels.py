"""State vectors of many parameter sets at once, as numba kernels.

A state is two arrays of rows of eight lanes, real and imaginary parts; a row is an amplitude of eight parameter sets.
Every gate is arithmetic on whole rows, whatever the distance between them; eight qubits take 32 KiB, which stays in the
first cache. Where the amplitude of a basis state lies is told by `hetero.backends.statevector_frame`.

Angles differ from set to set, and so do the coefficients of the gates: of slot s, entry e (row-major) of its 2 x 2
matrix is in rows ``8 s + 2 e`` (real) and ``8 s + 2 e + 1`` (imaginary) of ``c``. They are made of cosines and sines,
``trig[2, angle, block, lane]``.

numba keeps compiled code by the file of the function that was called: after a change of `statevector_lanes`, or of this
file for `statevector_adjoint`, remove ``__pycache__``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from hetero.backends.statevector_lanes import LANES, load, spread, store

__all__ = ["BOTH", "MATRIX", "ODD", "SIGN", "compiled", "expectations", "probabilities", "states"]

MATRIX, ODD, BOTH, SIGN = range(4)
"""Kinds of steps (kind, a, b, slot). MATRIX: the slot's matrix on the pairs of places that ``b`` joins, bit 0 where the
parity of place & ``a`` is even. ODD: the slot's phase where that parity is odd. BOTH: where that of ``a`` and of ``b``
is. SIGN: -1 there."""

FEW_TERMS = 2
"""More observables of Z alone than this are read off one Walsh-Hadamard transform of the probabilities."""

Array = np.ndarray[Any, Any]

compiled = njit(nogil=True, fastmath=True, cache=True)


@compiled
def aligned(rows: int) -> Array:
    """Rows that begin on cache lines: one that straddles two costs two loads."""
    buffer = np.empty((rows + 1) * LANES)
    skip = -(buffer.ctypes.data >> 3) & (LANES - 1)
    return buffer[skip : skip + rows * LANES]


@compiled
def pivot(mask: int) -> int:
    """The highest bit of a mask."""
    bit = 1
    while mask >> 1:
        mask >>= 1
        bit <<= 1
    return bit


@compiled
def fill(c: Array, slots: Array, gates: Array, trig: Array, block: int) -> None:
    """Multiply up the one-qubit gates of each slot.

    ``slots[slot] = (start, stop)`` in ``gates[:, (theta/2, phi, lambda)]``, rows of angles. A gate is
    U(theta, phi, lambda) = [[cos, -e^(i lambda) sin], [e^(i phi) sin, e^(i (phi + lambda)) cos]].
    """
    blocks = trig.shape[2]
    sines = trig.shape[1] * blocks
    for slot in range(len(slots)):
        for entry in range(8):
            store(c, 8 * slot + entry, spread(1.0 if entry == 0 or entry == 6 else 0.0))
        for g in range(slots[slot, 0], slots[slot, 1]):
            half, phi, lam = (
                gates[g, 0] * blocks + block,
                gates[g, 1] * blocks + block,
                gates[g, 2] * blocks + block,
            )
            cos, sin = load(trig, half), load(trig, half + sines)
            pr, pi = load(trig, phi), load(trig, phi + sines)
            lr, li = load(trig, lam), load(trig, lam + sines)
            for column in range(2):
                top, low = 8 * slot + 2 * column, 8 * slot + 4 + 2 * column
                tr, ti, r, i = load(c, top), load(c, top + 1), load(c, low), load(c, low + 1)
                wr, wi = lr * r - li * i, lr * i + li * r
                ur, ui = sin * tr + cos * wr, sin * ti + cos * wi
                store(c, top, cos * tr - sin * wr)
                store(c, top + 1, cos * ti - sin * wi)
                store(c, low, pr * ur - pi * ui)
                store(c, low + 1, pr * ui + pi * ur)


@compiled
def product_state(re: Array, im: Array, c: Array, first: Array) -> None:
    """The state that each qubit's leading gates make from |0>: a tensor product, built by doubling."""
    store(re, 0, spread(1.0))
    store(im, 0, spread(0.0))
    for q in range(len(first)):
        slot, size = 8 * first[q], 1 << q
        ar, ai, br, bi = load(c, slot), load(c, slot + 1), load(c, slot + 4), load(c, slot + 5)
        for k in range(size):
            r, i = load(re, k), load(im, k)
            store(re, k + size, r * br - i * bi)
            store(im, k + size, r * bi + i * br)
            store(re, k, r * ar - i * ai)
            store(im, k, r * ai + i * ar)


@compiled
def matrix(re: Array, im: Array, c: Array, slot: int, row: int, column: int, parity: Array) -> None:
    s, size = 8 * slot, pivot(column)
    ar, ai, br, bi = load(c, s), load(c, s + 1), load(c, s + 2), load(c, s + 3)
    cr, ci, dr, di = load(c, s + 4), load(c, s + 5), load(c, s + 6), load(c, s + 7)
    for base in range(0, len(parity), 2 * size):
        for place in range(base, base + size):
            k = place ^ (column & -np.int64(parity[place & row]))
            j = k ^ column
            r0, i0, r1, i1 = load(re, k), load(im, k), load(re, j), load(im, j)
            store(re, k, ar * r0 - ai * i0 + br * r1 - bi * i1)
            store(im, k, ar * i0 + ai * r0 + br * i1 + bi * r1)
            store(re, j, cr * r0 - ci * i0 + dr * r1 - di * i1)
            store(im, j, cr * i0 + ci * r0 + dr * i1 + di * r1)


@compiled
def odd(re: Array, im: Array, pr: Any, pi: Any, mask: int, parity: Array) -> None:
    """Multiply by a phase where the parity of place & ``mask`` is odd: one of each two places."""
    bit = pivot(mask)
    for base in range(0, len(parity), 2 * bit):
        for place in range(base, base + bit):
            k = place ^ (bit & (np.int64(parity[place & mask]) - 1))
            r, i = load(re, k), load(im, k)
            store(re, k, r * pr - i * pi)
            store(im, k, r * pi + i * pr)


@compiled
def evolve(re: Array, im: Array, c: Array, steps: Array, first: Array, parity: Array) -> None:
    """Run the steps of one block from |0...0>."""
    product_state(re, im, c, first)
    for s in range(len(steps)):
        kind, a, b, slot = steps[s]
        if kind == MATRIX:
            matrix(re, im, c, slot, a, b, parity)
            continue
        pr, pi = load(c, 8 * slot + 6), load(c, 8 * slot + 7)
        if kind == ODD:
            odd(re, im, pr, pi, a, parity)
            continue
        if kind == SIGN:
            pr, pi = spread(-1.0), spread(0.0)
        for k in range(len(parity)):
            if parity[k & a] & parity[k & b]:
                r, i = load(re, k), load(im, k)
                store(re, k, r * pr - i * pi)
                store(im, k, r * pi + i * pr)


@compiled
def transform(values: Array, size: int) -> None:
    """Walsh-Hadamard: the sum over k of (-1)^|k & z| values[k] takes the place of values[z]."""
    half = 1
    while half < size:
        for base in range(0, size, 2 * half):
            for k in range(base, base + half):
                a, b = load(values, k), load(values, k + half)
                store(values, k, a + b)
                store(values, k + half, a - b)
        half *= 2


@compiled
def term(re: Array, im: Array, x: int, z: int, power: int, parity: Array) -> Any:
    """<P> of the string that takes place k to k ^ ``x`` with sign (-1)^|k & z| and phase i^power.

    The sum is real: places k and k ^ x give conjugate products, so half of the pairs, doubled, are enough.
    """
    total = spread(0.0)
    bit = pivot(x)
    for base in range(0, len(parity), 2 * bit):
        for k in range(base, base + bit):
            j = k ^ x
            # Of conj(psi_j) psi_k = c the real part of i^power c: Re c, -Im c, -Re c, Im c.
            sign = spread((1.0 - 2.0 * parity[k & z]) * (2.0 if power == 0 or power == 3 else -2.0))
            if power & 1:
                total = total + sign * (load(re, j) * load(im, k) - load(im, j) * load(re, k))
            else:
                total = total + sign * (load(re, j) * load(re, k) + load(im, j) * load(im, k))
    return total


@compiled
def read(
    re: Array, im: Array, work: Array, terms: Array, weights: Array, parity: Array, out: Array, begin: int
) -> None:
    """Add the expectation values of ``terms`` (x, z, power, owner), those of Z alone first, to rows of ``out``."""
    size = len(parity)
    diagonal = 0
    while diagonal < len(terms) and terms[diagonal, 0] == 0:
        diagonal += 1
    if diagonal:
        for k in range(size):
            r, i = load(re, k), load(im, k)
            store(work, k, r * r + i * i)
        if diagonal > FEW_TERMS:
            transform(work, size)
    for t in range(len(terms)):
        x, z, power, owner = terms[t]
        if x:
            value = term(re, im, x, z, power, parity)
        elif diagonal > FEW_TERMS:
            value = load(work, z)
        else:
            value = spread(0.0)
            for k in range(size):
                value = value + spread(1.0 - 2.0 * parity[k & z]) * load(work, k)
        store(out, begin + owner, load(out, begin + owner) + spread(weights[t]) * value)


@compiled
def expectations(
    steps: Array,
    first: Array,
    slots: Array,
    gates: Array,
    parity: Array,
    trig: Array,
    terms: Array,
    weights: Array,
    out: Array,
) -> None:
    """Add to ``out[block, observable, lane]`` the expectation values of the states of all blocks."""
    re, im, work = aligned(len(parity)), aligned(len(parity)), aligned(len(parity))
    c = aligned(8 * len(slots))
    for block in range(len(out)):
        fill(c, slots, gates, trig, block)
        evolve(re, im, c, steps, first, parity)
        read(re, im, work, terms, weights, parity, out, block * out.shape[1])


@compiled
def probabilities(
    steps: Array,
    first: Array,
    slots: Array,
    gates: Array,
    parity: Array,
    trig: Array,
    basis: Array,
    out: Array,
) -> None:
    """Write to ``out[block, basis state, lane]`` its probability; ``basis``: the state of each place."""
    re, im = aligned(len(parity)), aligned(len(parity))
    c = aligned(8 * len(slots))
    for block in range(len(out)):
        fill(c, slots, gates, trig, block)
        evolve(re, im, c, steps, first, parity)
        for k in range(len(parity)):
            r, i = load(re, k), load(im, k)
            store(out, block * len(parity) + basis[k], r * r + i * i)


@compiled
def states(
    steps: Array,
    first: Array,
    slots: Array,
    gates: Array,
    parity: Array,
    trig: Array,
    out: Array,
) -> None:
    """Write the states themselves to complex ``out[block, lane, place]``. All have the same places."""
    re, im = aligned(len(parity)), aligned(len(parity))
    c = aligned(8 * len(slots))
    for block in range(len(out)):
        fill(c, slots, gates, trig, block)
        evolve(re, im, c, steps, first, parity)
        for k in range(len(parity)):
            for w in range(LANES):
                out[block, w, k] = complex(re[k * LANES + w], im[k * LANES + w])
