"""A circuit op as smaller ones, and their answers put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_noise import NoisyCircuitOp
from hetero.ops.circuit_swaps import without_swaps
from hetero.rewrite.components import components, packed, part_of
from hetero.rewrite.joined import First, Join, JoinedCounts, JoinedValues
from hetero.rewrite.known_bits import with_known_bits
from hetero.rewrite.last_permutations import BitProgram, without_last_permutations
from hetero.rewrite.light_cone import by_light_cone, light_cone, together

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
    """``combine`` makes the original's answers out of those of the parts; ``notes`` say what was done, in words."""

    parts: tuple[Part, ...]
    combine: Join
    notes: tuple[str, ...]


def reduced(op: CircuitOp) -> Reduced:
    """The op's parts. A dynamic or noisy circuit, or one on which nothing can be saved, is its only part."""
    if op.features.dynamic or isinstance(op, NoisyCircuitOp):
        return as_it_is(op)
    notes: list[str] = []
    circuit, where = without_swaps(op.unitary)
    if len(circuit.data) < len(op.unitary.data):
        notes.append(f"{len(op.unitary.data) - len(circuit.data)} swaps dropped by following the qubits")
    circuit = _noted(circuit, with_known_bits, "their controls are known", notes)
    if op.shots is not None:
        final = {clbit: where[qubit] for clbit, qubit in (op.final_measurements or {}).items()}
        measured = dict.fromkeys(final.values(), "Z")
        why = "outside the light cone of what is measured, or diagonal before it"
        circuit = _noted(circuit, lambda c: light_cone(c, measured), why, notes)
        bare, program = without_last_permutations(circuit, final)
        if program.gates:
            notes.append(
                f"{len(program.gates)} last gates permute basis states: computed on the bits that are counted"
            )
            bare = light_cone(bare, dict.fromkeys(program.needed, "Z"))
            return _counts(op, bare, {place: place for place in program.needed}, notes, program)
        return _counts(op, circuit, final, notes)
    terms = list(_terms(op, np.argsort(where)))
    asked = together(term.asked for term in terms)
    circuit = _noted(
        circuit, lambda c: light_cone(c, asked), "outside the light cone of the observables", notes
    )
    return _expectations(op, circuit, terms, notes)


def as_it_is(op: CircuitOp) -> Reduced:
    """The op as its only part."""
    return Reduced((Part(op, tuple(range(op.features.parameters))),), First(), ())


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


def _counts(
    op: CircuitOp,
    circuit: QuantumCircuit,
    final: Mapping[int, int],
    notes: list[str],
    program: BitProgram | None = None,
) -> Reduced:
    """``final``: bit of the joined values -> qubit; the program, where there is one, makes classical bits of them."""
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
        places.append(tuple(clbit for clbit, _ in bits))
    return Reduced(tuple(parts), JoinedCounts(op.shots, tuple(places), program), tuple(notes))


def _measured(circuit: QuantumCircuit, qubits: Sequence[int]) -> QuantumCircuit:
    from qiskit import ClassicalRegister

    own = circuit.copy()
    own.add_register(ClassicalRegister(len(qubits), "c"))
    own.measure(list(qubits), range(len(qubits)))
    return own


def _expectations(
    op: CircuitOp, circuit: QuantumCircuit, terms: Sequence[_Term], notes: list[str]
) -> Reduced:
    """Each Pauli string as a product over the parts of the circuit that it depends on."""
    groups = by_light_cone(circuit, [term.asked for term in terms])
    if not notes and len(groups) == 1 and len(components(circuit)) == 1:
        return as_it_is(op)
    if len(groups) > 1:
        notes.append(f"{len(groups)} groups of observables with light cones of their own")
    parts: list[Part] = []
    strings = []
    for members in groups:
        own = [terms[number] for number in members]
        cone = circuit
        if len(groups) > 1:
            cone = light_cone(circuit, together(term.asked for term in own))
        found, factors = _pieces(op, cone, own, notes)
        strings += [
            (term.owner, term.coefficient, tuple((len(parts) + part, number) for part, number in product))
            for term, product in zip(own, factors, strict=True)
            if product is not None
        ]
        parts += found
    return Reduced(tuple(parts), JoinedValues(len(op.observables), tuple(strings)), tuple(notes))


def _pieces(
    op: CircuitOp, circuit: QuantumCircuit, terms: Sequence[_Term], notes: list[str]
) -> tuple[list[Part], list[tuple[tuple[int, int], ...] | None]]:
    """The independent parts of a circuit, and each string as a product of (part, number of its observable there); None
    where it is 0."""
    pieces = _split(op, circuit, notes)
    idle = set(range(circuit.num_qubits)).difference(*pieces)
    labels: list[dict[str, int]] = [{} for _ in pieces]
    factors: list[tuple[tuple[int, int], ...] | None] = []
    for term in terms:
        if any(term.letters[qubit] in "XY" for qubit in idle.intersection(term.asked)):
            factors.append(None)  # <0|X|0> = <0|Y|0> = 0, and <0|Z|0> = 1
            continue
        on = [term.on(qubits) for qubits in pieces]
        touched = [part for part, label in enumerate(on) if label.strip("I")]
        factors.append(
            tuple((part, labels[part].setdefault(on[part], len(labels[part]))) for part in touched)
        )
    used = [part for part, known in enumerate(labels) if known]
    found = []
    for part in used:
        own = part_of(circuit, pieces[part])
        piece = CircuitOp.from_circuit(own, observables=list(labels[part]), name=op.name)
        found.append(Part(piece, _columns(op, own)))
    moved = {part: place for place, part in enumerate(used)}
    return found, [f and tuple((moved[part], number) for part, number in f) for f in factors]


@dataclass(frozen=True, slots=True)
class _Term:
    """A Pauli string of observable number ``owner``: its letter on each qubit of the circuit that is simulated."""

    owner: int
    coefficient: float
    letters: str

    @property
    def asked(self) -> dict[int, str]:
        return {qubit: letter for qubit, letter in enumerate(self.letters) if letter != "I"}

    def on(self, qubits: Sequence[int]) -> str:
        """Its letters on some qubits, as Qiskit writes them: the last one first."""
        return "".join(self.letters[qubit] for qubit in reversed(qubits))


def _terms(op: CircuitOp, holds: np.ndarray) -> Iterator[_Term]:
    """``holds``: the original qubit whose state a qubit holds at the end."""
    for owner, observable in enumerate(op.observables):
        codes = observable.paulis.z[:, holds] + 2 * observable.paulis.x[:, holds]
        for row, coefficient in zip(codes, observable.coeffs.real, strict=True):
            yield _Term(owner, float(coefficient), "".join("IZXY"[code] for code in row))
