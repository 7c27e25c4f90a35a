"""Drop the gates that nothing asked for depends on; ask for each observable apart where that takes much less."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hetero.ops.circuit_bonds import bond_bound
from hetero.ops.circuit_build import rebuilt
from hetero.rewrite.components import components
from hetero.rewrite.gate_axes import ANY, axes_of

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["by_light_cone", "light_cone", "together"]

WORTH_OPERATIONS, WORTH = 1e9, 0.1
"""Observables are grouped where the whole takes so many complex operations or more (seconds) and the groups together
at most this share of them."""

MOST_CONES = 256
"""Finding a cone takes a pass over the gates."""


def light_cone(circuit: QuantumCircuit, asked: Mapping[int, str]) -> QuantumCircuit:
    """The gates of a unitary circuit that can change what is asked of it.

    ``asked`` says what is asked of a qubit: "Z" where it is measured, the letter where all observables have the same
    Pauli operator or none on it, else "*".

    Walked backwards. A gate cancels with its adjoint where it commutes with all that is kept after it and with what is
    asked: because it is on none of their qubits (Evenbly and Vidal, Physical Review B 79, 144108, 2009,
    doi:10.1103/PhysRevB.79.144108), or along the same axis on those that it shares. So diagonal gates before
    measurement go, and of a layer of ZZ rotations only those that touch the cone themselves stay. Barriers go.

    >>> from qiskit import QuantumCircuit
    >>> circuit = QuantumCircuit(3)
    >>> _ = circuit.h(0), circuit.cz(0, 1), circuit.h(1), circuit.rzz(0.1, 1, 2), circuit.rzz(0.1, 0, 1)
    >>> [i.operation.name for i in light_cone(circuit, {1: "Z"}).data]
    ['h', 'cz', 'h']
    """
    reached = {circuit.qubits[qubit]: letter for qubit, letter in asked.items()}
    kept = []
    for instruction in reversed(circuit.data):
        if instruction.name == "barrier":
            continue
        axes = dict(zip(instruction.qubits, axes_of(instruction), strict=True))
        if all(
            reached.get(qubit, axis) == axis != ANY or qubit not in reached for qubit, axis in axes.items()
        ):
            continue
        for qubit, axis in axes.items():
            reached[qubit] = axis if reached.get(qubit, axis) == axis else ANY
        kept.append(instruction)
    return rebuilt(circuit, kept[::-1])


def together(asked: Iterable[Mapping[int, str]]) -> dict[int, str]:
    """All that is asked of each qubit at once.

    >>> together([{0: "Z", 1: "Z"}, {1: "X"}])
    {0: 'Z', 1: '*'}
    """
    found: dict[int, str] = {}
    for one in asked:
        for qubit, letter in one.items():
            found[qubit] = letter if found.get(qubit, letter) == letter else ANY
    return found


def by_light_cone(circuit: QuantumCircuit, asked: Sequence[Mapping[int, str]]) -> list[list[int]]:
    """What is asked (see `light_cone`) in groups, each of which a much smaller part of the circuit decides.

    The light cone of all observables together may be the whole circuit, where each one's is a few qubits: terms of a
    QAOA's energy, or of a local Hamiltonian after few layers. One group of all where nothing is saved.
    """
    everything = [list(range(len(asked)))]
    different = {tuple(sorted(one.items())): one for one in asked}
    whole = _operations(circuit)
    if not 1 < len(different) <= MOST_CONES or whole < WORTH_OPERATIONS:
        return everything
    cones = {key: light_cone(circuit, one) for key, one in different.items()}
    reached = {key: _reached(cone, different[key]) for key, cone in cones.items()}
    groups: list[tuple[frozenset[int], set[Any]]] = []
    for key in sorted(different, key=lambda one: (-len(reached[one]), one)):
        home = next((members for qubits, members in groups if reached[key] <= qubits), None)
        if home is None:
            groups.append((reached[key], {key}))
        else:
            home.add(key)
    gates = len(circuit.data)
    if sum(2.0 ** len(qubits) * gates for qubits, _ in groups) > WORTH * whole:
        return everything
    return [
        [n for n, one in enumerate(asked) if tuple(sorted(one.items())) in members] for _, members in groups
    ]


def _reached(cone: QuantumCircuit, asked: Iterable[int]) -> frozenset[int]:
    place = {qubit: index for index, qubit in enumerate(cone.qubits)}
    return frozenset(asked).union(place[qubit] for instruction in cone.data for qubit in instruction.qubits)


def _operations(circuit: QuantumCircuit) -> float:
    """Of a state vector or of a matrix product state, whichever has less to do, as far as is known beforehand."""
    widest = max(map(len, components(circuit)), default=0)
    return min(2.0 ** min(widest, 500) * len(circuit.data), 80.0 * bond_bound(circuit).cubes)
