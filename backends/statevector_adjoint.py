"""Derivatives of expectation values by the adjoint method: the circuit once forward, once back with two states.

Going back, each gate is undone on the state and on the observable's image of it; what joins the two is the derivative
by the gate (Jones and Gacon, arXiv 2009.02823, 2020). Here by all four entries of a gate's matrix at once: so the cost
does not depend on how many parameters there are, and the chain rule goes from the entries to the angles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetero.backends.statevector_kernels import (
    BOTH,
    MATRIX,
    ODD,
    aligned,
    compiled,
    evolve,
    fill,
    pivot,
    read,
    transform,
)
from hetero.backends.statevector_lanes import LANES, load, spread, store

__all__ = ["gradients"]

Array = np.ndarray[Any, Any]


@compiled
def _image(
    re: Array,
    im: Array,
    lre: Array,
    lim: Array,
    work: Array,
    terms: Array,
    weights: Array,
    parity: Array,
    pull: Array,
    begin: int,
) -> None:
    """The state O psi of the sum of all observables, each times its weight in ``pull`` and lane."""
    size = len(parity)
    diagonal = 0
    for k in range(size):
        store(work, k, spread(0.0))
    while diagonal < len(terms) and terms[diagonal, 0] == 0:
        z, owner = terms[diagonal, 1], terms[diagonal, 3]
        weight = spread(weights[diagonal]) * load(pull, begin + owner)
        store(work, z, load(work, z) + weight)
        diagonal += 1
    if diagonal:
        transform(work, size)
    for k in range(size):
        store(lre, k, load(work, k) * load(re, k))
        store(lim, k, load(work, k) * load(im, k))
    for t in range(diagonal, len(terms)):
        x, z, power, owner = terms[t]
        weight = spread(weights[t]) * load(pull, begin + owner)
        for k in range(size):
            j = k ^ x
            signed = weight * spread((1.0 - 2.0 * parity[k & z]) * (1.0 if power < 2 else -1.0))
            if power & 1:  # times i
                store(lre, j, load(lre, j) - signed * load(im, k))
                store(lim, j, load(lim, j) + signed * load(re, k))
            else:
                store(lre, j, load(lre, j) + signed * load(re, k))
                store(lim, j, load(lim, j) + signed * load(im, k))


@compiled
def _undo_matrix(
    re: Array,
    im: Array,
    lre: Array,
    lim: Array,
    c: Array,
    g: Array,
    slot: int,
    row: int,
    column: int,
    parity: Array,
) -> None:
    """Undo a matrix on both states; ``g`` gets conj(lambda_r) psi_c, summed, of its entries (r, c)."""
    s, size = 8 * slot, pivot(column)
    ar, ai, br, bi = load(c, s), load(c, s + 1), load(c, s + 2), load(c, s + 3)
    cr, ci, dr, di = load(c, s + 4), load(c, s + 5), load(c, s + 6), load(c, s + 7)
    gar = gai = gbr = gbi = gcr = gci = gdr = gdi = spread(0.0)
    for base in range(0, len(parity), 2 * size):
        for place in range(base, base + size):
            k = place ^ (column & -np.int64(parity[place & row]))
            j = k ^ column
            r0, i0, r1, i1 = load(re, k), load(im, k), load(re, j), load(im, j)
            p0, q0 = ar * r0 + ai * i0 + cr * r1 + ci * i1, ar * i0 - ai * r0 + cr * i1 - ci * r1
            p1, q1 = br * r0 + bi * i0 + dr * r1 + di * i1, br * i0 - bi * r0 + dr * i1 - di * r1
            store(re, k, p0)
            store(im, k, q0)
            store(re, j, p1)
            store(im, j, q1)
            r0, i0, r1, i1 = load(lre, k), load(lim, k), load(lre, j), load(lim, j)
            gar, gai = gar + (r0 * p0 + i0 * q0), gai + (r0 * q0 - i0 * p0)
            gbr, gbi = gbr + (r0 * p1 + i0 * q1), gbi + (r0 * q1 - i0 * p1)
            gcr, gci = gcr + (r1 * p0 + i1 * q0), gci + (r1 * q0 - i1 * p0)
            gdr, gdi = gdr + (r1 * p1 + i1 * q1), gdi + (r1 * q1 - i1 * p1)
            store(lre, k, ar * r0 + ai * i0 + cr * r1 + ci * i1)
            store(lim, k, ar * i0 - ai * r0 + cr * i1 - ci * r1)
            store(lre, j, br * r0 + bi * i0 + dr * r1 + di * i1)
            store(lim, j, br * i0 - bi * r0 + dr * i1 - di * r1)
    store(g, s, gar)
    store(g, s + 1, gai)
    store(g, s + 2, gbr)
    store(g, s + 3, gbi)
    store(g, s + 4, gcr)
    store(g, s + 5, gci)
    store(g, s + 6, gdr)
    store(g, s + 7, gdi)


@compiled
def _undo_phase(
    re: Array,
    im: Array,
    lre: Array,
    lim: Array,
    c: Array,
    g: Array,
    kind: int,
    a: int,
    b: int,
    slot: int,
    parity: Array,
) -> None:
    """Undo a diagonal step on both states; ``g`` gets the sum of conj(lambda) psi where it acts."""
    pr, pi = load(c, 8 * slot + 6), load(c, 8 * slot + 7)
    if kind != ODD and kind != BOTH:
        pr, pi = spread(-1.0), spread(0.0)
    gr = gi = spread(0.0)
    for k in range(len(parity)):
        if parity[k & a] and (kind == ODD or parity[k & b]):
            r, i = load(re, k), load(im, k)
            r, i = pr * r + pi * i, pr * i - pi * r
            store(re, k, r)
            store(im, k, i)
            lr, li = load(lre, k), load(lim, k)
            gr, gi = gr + (lr * r + li * i), gi + (lr * i - li * r)
            store(lre, k, pr * lr + pi * li)
            store(lim, k, pr * li - pi * lr)
    if kind in (ODD, BOTH):
        store(g, 8 * slot + 6, gr)
        store(g, 8 * slot + 7, gi)


@compiled
def _gate(trig: Array, rows: Array, block: int, w: int) -> Any:
    """The matrix of one gate in one lane, row-major."""
    half, phi, lam = rows
    cos, sin = trig[0, half, block, w], trig[1, half, block, w]
    p = complex(trig[0, phi, block, w], trig[1, phi, block, w])
    q = complex(trig[0, lam, block, w], trig[1, lam, block, w])
    return cos + 0j, -q * sin, p * sin, p * q * cos


@compiled
def _product(a: Any, b: Any) -> Any:
    return (
        a[0] * b[0] + a[1] * b[2],
        a[0] * b[1] + a[1] * b[3],
        a[2] * b[0] + a[3] * b[2],
        a[2] * b[1] + a[3] * b[3],
    )


@compiled
def _transposed(a: Any) -> Any:
    return a[0], a[2], a[1], a[3]


@compiled
def _conjugate(a: Any) -> Any:
    return a[0].conjugate(), a[1].conjugate(), a[2].conjugate(), a[3].conjugate()


@compiled
def _by_angles(g: Array, slots: Array, gates: Array, trig: Array, block: int, out: Array) -> None:
    """Add to ``out[block, angle, lane]`` the derivatives by the angles of each slot's gates.

    With U = L V E of one gate V, what comes after and what comes before it, sum_rc g_rc dU_rc = sum_ab h_ab dV_ab
    where h = L^T g E^T. Walking the gates forward, E grows by V, and L^T g shrinks by it.
    """
    for slot in range(len(slots)):
        start, stop = slots[slot]
        at = 8 * slot * LANES
        for w in range(at, at + LANES):
            h = (
                complex(g[w], g[w + LANES]),
                complex(g[w + 2 * LANES], g[w + 3 * LANES]),
                complex(g[w + 4 * LANES], g[w + 5 * LANES]),
                complex(g[w + 6 * LANES], g[w + 7 * LANES]),
            )
            lane = w - at
            for later in range(stop - 1, start, -1):  # L^T g of the first gate
                h = _product(_transposed(_gate(trig, gates[later], block, lane)), h)
            before = (1.0 + 0j, 0j, 0j, 1.0 + 0j)
            for n in range(start, stop):
                v = _gate(trig, gates[n], block, lane)
                if n > start:  # gates are unitary: dividing by one is multiplying by its adjoint
                    h = _product(_conjugate(v), h)
                own = _product(h, _transposed(before))
                half, phi, lam = gates[n]
                cos, sin = trig[0, half, block, lane], trig[1, half, block, lane]
                p = complex(trig[0, phi, block, lane], trig[1, phi, block, lane])
                q = complex(trig[0, lam, block, lane], trig[1, lam, block, lane])
                turn = -sin * own[0] - q * cos * own[1] + p * cos * own[2] - p * q * sin * own[3]
                out[block, half, lane] += 2 * turn.real
                out[block, phi, lane] -= 2 * (v[2] * own[2] + v[3] * own[3]).imag
                out[block, lam, lane] -= 2 * (v[1] * own[1] + v[3] * own[3]).imag
                before = _product(v, before)


@compiled
def gradients(
    steps: Array,
    first: Array,
    slots: Array,
    gates: Array,
    parity: Array,
    trig: Array,
    terms: Array,
    weights: Array,
    pull: Array,
    values: Array,
    out: Array,
) -> None:
    """Add to ``values[block, observable, lane]`` the expectation values, to ``out[block, angle, lane]`` the derivatives
    of their sum, each times its weight ``pull[block, observable, lane]``."""
    size = len(parity)
    re, im, lre, lim, work = aligned(size), aligned(size), aligned(size), aligned(size), aligned(size)
    c, g = aligned(8 * len(slots)), aligned(8 * len(slots))
    for block in range(len(out)):
        fill(c, slots, gates, trig, block)
        evolve(re, im, c, steps, first, parity)
        read(re, im, work, terms, weights, parity, values, block * values.shape[1])
        _image(re, im, lre, lim, work, terms, weights, parity, pull, block * values.shape[1])
        g[:] = 0.0
        for s in range(len(steps) - 1, -1, -1):
            kind, a, b, slot = steps[s]
            if kind == MATRIX:
                _undo_matrix(re, im, lre, lim, c, g, slot, a, b, parity)
            else:
                _undo_phase(re, im, lre, lim, c, g, kind, a, b, slot, parity)
        for q in range(len(first) - 1, -1, -1):
            _undo_matrix(re, im, lre, lim, c, g, first[q], 1 << q, 1 << q, parity)
        _by_angles(g, slots, gates, trig, block, out)
