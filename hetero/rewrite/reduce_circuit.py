"""A circuit op as smaller ones, and their answers put together again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_noise import NoisyCircuitOp
from hetero.ops.circuit_swaps import without_swaps
from hetero.rewrite.components import components, packed, part_of
from hetero.rewrite.diagonal_gates import without_last_diagonals
from hetero.rewrite.known_bits import with_known_bits
from hetero.rewrite.light_cone import light_cone

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["Part", "Reduced", "as_it_is", "reduced"]


@dataclass(frozen=True, slots=True)
class Part:
    """An op of its own, and which of the original's parameters it takes, in its own order."""

    op: CircuitOp
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reduced:
    """``combine`` makes the original's answers out of those of the parts, one a part, each over all parameter sets.

    Of counts a part's answer is one mapping (value of the original's classical bits -> times seen) a set; of
    expectation values an array (sets, the part's observables). ``notes`` say what was done, in words.
    """

    parts: tuple[Part, ...]
    combine: Callable[[Sequence[Any], int, np.random.Generator], Any]
    notes: tuple[str, ...]


def reduced(op: CircuitOp) -> Reduced:
    """The op's parts. A dynamic or noisy circuit, or one on which nothing can be saved, is its only part."""
    if op.features.dynamic or isinstance(op, NoisyCircuitOp):
        return as_it_is(op)
    notes: list[str] = []
    circuit, where = without_swaps(op.unitary)
    if len(circuit.data) < len(op.unitary.data):
        notes.append(f"{len(op.unitary.data) - len(circuit.data)} swaps dropped by following the qubits")
    circuit = _noted(circuit, with_known_bits, "gates whose controls are known", notes)
    if op.shots is not None:
        final = {clbit: where[qubit] for clbit, qubit in (op.final_measurements or {}).items()}
        circuit = _noted(circuit, without_last_diagonals, "diagonal gates before measurement", notes)
        asked = set(final.values())
        circuit = _noted(
            circuit, lambda c: light_cone(c, asked), "gates outside the light cone of what is measured", notes
        )
        return _counts(op, circuit, final, notes)
    support = {
        where[q] for o in op.observables for q in np.flatnonzero((o.paulis.x | o.paulis.z).any(0)).tolist()
    }
    circuit = _noted(
        circuit, lambda c: light_cone(c, support), "gates outside the light cone of the observables", notes
    )
    return _expectations(op, circuit, where, notes)


def as_it_is(op: CircuitOp) -> Reduced:
    """The op as its only part."""
    return Reduced(
        (Part(op, tuple(range(op.features.parameters))),), lambda answers, sets, rng: answers[0], ()
    )


def _noted(
    circuit: QuantumCircuit,
    rewrite: Callable[[QuantumCircuit], QuantumCircuit],
    what: str,
    notes: list[str],
) -> QuantumCircuit:
    before = sum(i.name != "barrier" for i in circuit.data)
    after = rewrite(circuit)
    if len(after.data) < before:
        notes.append(f"{before - len(after.data)} of {before} gates dropped: {what}")
    return after


def _split(op: CircuitOp, circuit: QuantumCircuit, notes: list[str]) -> list[tuple[int, ...]]:
    alone = components(circuit)
    parts = packed(alone)
    idle = circuit.num_qubits - sum(map(len, alone))
    if idle:
        notes.append(f"{idle} of {circuit.num_qubits} qubits stay 0 and are left out")
    if len(parts) > 1:
        notes.append(f"{len(parts)} independent parts of {', '.join(str(len(p)) for p in parts)} qubits")
    return parts


def _columns(op: CircuitOp, circuit: QuantumCircuit) -> tuple[int, ...]:
    place = {parameter: index for index, parameter in enumerate(op.circuit.parameters)}
    return tuple(place[parameter] for parameter in circuit.parameters)


def _counts(op: CircuitOp, circuit: QuantumCircuit, final: Mapping[int, int], notes: list[str]) -> Reduced:
    """Parts are measured apart. Shots of independent parts may be paired in any order, so in a random one."""
    if not notes and len(components(circuit)) == 1:
        return as_it_is(op)
    assert op.shots is not None
    parts, places = [], []
    for index, qubits in enumerate(_split(op, circuit, notes)):
        own = part_of(circuit, qubits)
        bits = [(clbit, qubits.index(qubit)) for clbit, qubit in sorted(final.items()) if qubit in qubits]
        own = _measured(own, [qubit for _, qubit in bits])
        seed = None if op.seed is None else op.seed + index
        part = CircuitOp.from_circuit(own, shots=op.shots, name=op.name, seed=seed)
        parts.append(Part(part, _columns(op, own)))
        places.append([clbit for clbit, _ in bits])
    shots = op.shots

    def combine(answers: Sequence[Any], sets: int, rng: np.random.Generator) -> list[dict[int, int]]:
        spread = [[_moved(one, place) for one in found] for found, place in zip(answers, places, strict=True)]
        return [_paired([found[i] for found in spread], shots, rng) for i in range(sets)]

    return Reduced(tuple(parts), combine, tuple(notes))


def _measured(circuit: QuantumCircuit, qubits: Sequence[int]) -> QuantumCircuit:
    from qiskit import ClassicalRegister

    own = circuit.copy()
    own.add_register(ClassicalRegister(len(qubits), "c"))
    own.measure(list(qubits), range(len(qubits)))
    return own


def _moved(counts: Mapping[int, int], places: Sequence[int]) -> dict[int, int]:
    """Bit i of each value as bit ``places[i]``."""
    return {sum((v >> i & 1) << place for i, place in enumerate(places)): n for v, n in counts.items()}


def _paired(counts: Sequence[Mapping[int, int]], shots: int, rng: np.random.Generator) -> dict[int, int]:
    """Counts of all parts at once: their shots, each part's in an order of its own, joined one by one."""
    if not counts:
        return {0: shots}
    first, *rest = counts
    if not rest:
        return dict(first)
    # Python integers: there may be more classical bits than a machine word has.
    joined = np.repeat(np.array(list(first), object), list(first.values()))
    for other in rest:
        joined = joined | rng.permutation(np.repeat(np.array(list(other), object), list(other.values())))
    found: dict[int, int] = {}
    for value in joined.tolist():
        found[value] = found.get(value, 0) + 1
    return found


def _expectations(op: CircuitOp, circuit: QuantumCircuit, where: Sequence[int], notes: list[str]) -> Reduced:
    """Of a product state, the expectation value of a Pauli string is the product over the parts."""
    if not notes and len(components(circuit)) == 1:
        return as_it_is(op)
    parts_of = _split(op, circuit, notes)
    idle = sorted(set(range(circuit.num_qubits)).difference(*parts_of))
    labels: list[dict[str, int]] = [{} for _ in parts_of]
    strings = []  # for each term: owner, coefficient, and the number of its string in each part
    holds = np.argsort(where)  # the original qubit whose state a qubit holds at the end
    for owner, observable in enumerate(op.observables):
        for x, z, coefficient in zip(
            observable.paulis.x[:, holds],
            observable.paulis.z[:, holds],
            observable.coeffs.real,
            strict=True,
        ):
            if x[idle].any():
                continue  # <0|X|0> = <0|Y|0> = 0, and <0|Z|0> = 1
            numbers = []
            for qubits, known in zip(parts_of, labels, strict=True):
                label = "".join("IZXY"[z[q] + 2 * x[q]] for q in reversed(qubits))
                numbers.append(known.setdefault(label, len(known)))
            strings.append((owner, float(coefficient), numbers))
    parts = []
    for qubits, known in zip(parts_of, labels, strict=True):
        own = part_of(circuit, qubits)
        if known:
            part = CircuitOp.from_circuit(own, observables=list(known), name=op.name)
            parts.append(Part(part, _columns(op, own)))
    width = len(op.observables)

    def combine(answers: Sequence[Any], sets: int, rng: np.random.Generator) -> np.ndarray:
        table = np.zeros((sets, width))
        for owner, coefficient, numbers in strings:
            product = np.full(sets, coefficient)
            for values, number in zip(answers, numbers, strict=True):
                product = product * np.asarray(values)[:, number]
            table[:, owner] += product
        return table

    return Reduced(tuple(parts), combine, tuple(notes))
