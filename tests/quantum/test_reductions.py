"""Reductions keep what is asked for: the distribution of the classical bits, the expectation values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit.library import QFTGate
from qiskit.quantum_info import DensityMatrix, Operator, Pauli, Statevector, partial_trace, random_pauli_list

from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_gates import in_gates
from hetero.ops.circuit_swaps import without_swaps
from hetero.rewrite.components import components, packed, part_of
from hetero.rewrite.gate_axes import DIAGONAL, axes_of
from hetero.rewrite.known_bits import with_known_bits
from hetero.rewrite.last_permutations import without_last_permutations
from hetero.rewrite.light_cone import light_cone
from hetero.rewrite.reduce_circuit import reduced

from .random_circuits import EXAMPLES, circuits, measured_circuits

many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def fidelity(one: QuantumCircuit, other: QuantumCircuit) -> float:
    return abs(np.vdot(Statevector(one).data, Statevector(other).data))


@many
@given(circuits())
def test_known_bits_keep_the_state(circuit: QuantumCircuit) -> None:
    """What the circuit makes of zeros is the same state but for a global phase."""
    assert fidelity(circuit, with_known_bits(circuit)) == pytest.approx(1.0)


@many
@given(circuits())
def test_swaps_are_followed(circuit: QuantumCircuit) -> None:
    """Moving each qubit to where the swaps brought it gives the state back."""
    bare, where = without_swaps(circuit)
    assert "swap" not in bare.count_ops()
    n = circuit.num_qubits
    restored = QuantumCircuit(n)
    restored.compose(bare, [where.index(q) for q in range(n)], inplace=True)
    # Qubit q of `bare` ends where the original has qubit where.index(q), whatever it was called at the start: from
    # zeros all starts are equal.
    assert fidelity(circuit, restored) == pytest.approx(1.0)


@many
@given(circuits())
def test_definitions_mean_what_they_define(circuit: QuantumCircuit) -> None:
    """A circuit in the gates that an engine takes makes the same state; its own gates are left as they are."""
    names = (
        "id",
        "h",
        "x",
        "u",
        "p",
        "cx",
        "rz",
        "ry",
        "rx",
        "s",
        "sdg",
        "t",
        "tdg",
        "sx",
        "sxdg",
        "r",
        "u1",
        "u2",
        "u3",
    )
    found = in_gates(circuit, names)
    assert found is not None
    assert set(found.count_ops()) <= set(names)
    assert fidelity(circuit, found) == pytest.approx(1.0)
    assert in_gates(found, names) is found


@many
@given(circuits(), st.data())
def test_a_light_cone_keeps_what_is_measured(circuit: QuantumCircuit, data: st.DataObject) -> None:
    """Every value of the measured qubits is as likely as before, whatever diagonal gates were dropped."""
    measured = sorted(data.draw(st.sets(st.integers(0, circuit.num_qubits - 1), min_size=1)))
    cone = light_cone(circuit, dict.fromkeys(measured, "Z"))
    found = Statevector(cone).probabilities(measured)
    assert found == pytest.approx(Statevector(circuit).probabilities(measured), abs=1e-9)


@many
@given(circuits(), st.data())
def test_a_light_cone_keeps_a_pauli_string(circuit: QuantumCircuit, data: st.DataObject) -> None:
    """Gates that commute with the string and with what is kept are dropped, and its value stays."""
    label = data.draw(st.text("IXYZ", min_size=circuit.num_qubits, max_size=circuit.num_qubits))
    asked = {qubit: letter for qubit, letter in enumerate(reversed(label)) if letter != "I"}
    found = Statevector(light_cone(circuit, asked)).expectation_value(Pauli(label))
    assert found == pytest.approx(Statevector(circuit).expectation_value(Pauli(label)), abs=1e-9)


@many
@given(circuits(most_gates=2))
def test_gates_of_the_same_axes_commute(circuit: QuantumCircuit) -> None:
    """Two gates with the same letter on every qubit that they share may change places."""
    if len(circuit.data) != 2:
        return
    first, second = (dict(zip(i.qubits, axes_of(i), strict=True)) for i in circuit.data)
    if any(first[q] != second[q] or first[q] == "*" for q in first.keys() & second.keys()):
        return
    turned = circuit.copy_empty_like()
    turned.data = circuit.data[::-1]
    assert np.allclose(Operator(circuit).data, Operator(turned).data)


@pytest.mark.parametrize("name", sorted(DIAGONAL - {"u1", "cu1", "mcp", "mcphase"}))
def test_gates_called_diagonal_are(name: str) -> None:
    """Each name in the list is a gate whose matrix has nothing off its diagonal."""
    gate = getattr(QuantumCircuit(3), name)
    width, angles = {"ccz": 3}.get(name, 2 if name in ("cz", "cp", "crz", "cs", "csdg", "rzz") else 1), []
    if name in ("p", "rz", "cp", "crz", "rzz"):
        angles = [0.3]
    matrix = Operator(gate(*angles, *range(width))[0].operation).data
    assert np.allclose(matrix, np.diag(np.diag(matrix)))


@many
@given(circuits(), st.data())
def test_a_light_cone_keeps_the_reduced_state(circuit: QuantumCircuit, data: st.DataObject) -> None:
    """What is asked of some qubits is answered by the gates that reach them."""
    n = circuit.num_qubits
    asked = data.draw(st.sets(st.integers(0, n - 1), min_size=1))
    rest = [q for q in range(n) if q not in asked]
    before, after = (
        partial_trace(DensityMatrix(c), rest).data
        for c in (circuit, light_cone(circuit, dict.fromkeys(asked, "*")))
    )
    assert np.allclose(before, after, atol=1e-9)


@many
@given(circuits())
def test_components_are_a_product(circuit: QuantumCircuit) -> None:
    """The state is the tensor product of the parts' states, the idle qubits being 0."""
    joined = QuantumCircuit(circuit.num_qubits)
    for qubits in packed(components(circuit), width=3):
        joined.compose(part_of(circuit, qubits), qubits, inplace=True)
    assert fidelity(circuit, joined) == pytest.approx(1.0)


def exact(circuit: QuantumCircuit) -> dict[int, float]:
    """Probabilities of the values of the classical bits."""
    op = CircuitOp.from_circuit(circuit, shots=1)
    final = op.final_measurements or {}
    found: dict[int, float] = {}
    for state, p in enumerate(Statevector(op.unitary).probabilities()):
        bits = sum((state >> qubit & 1) << clbit for clbit, qubit in final.items())
        found[bits] = found.get(bits, 0.0) + p
    return {bits: p for bits, p in found.items() if p > 1e-12}


@many
@given(measured_circuits())
def test_parts_together_have_the_distribution_of_the_whole(circuit: QuantumCircuit) -> None:
    """Drawn from its parts, a circuit's counts are a plausible sample of its exact distribution (chi-square)."""
    from scipy.stats import chisquare

    shots = 4000
    small = reduced(CircuitOp.from_circuit(circuit, shots=shots, seed=7))
    answers = [
        [{int(bits.replace(" ", ""), 2): n for bits, n in part.op.load()()[0].items()}]
        for part in small.parts
    ]
    (counts,) = small.combine(answers, 1, np.random.default_rng(0))
    expected = exact(circuit)
    assert set(counts) <= set(expected)
    assert sum(counts.values()) == shots
    if len(expected) > 1:
        keys = sorted(expected)
        observed, wanted = (
            np.array([counts.get(k, 0) for k in keys]),
            shots * np.array([expected[k] for k in keys]),
        )
        usual = wanted >= 5
        table = [(*o[usual], o[~usual].sum()) if (~usual).any() else o for o in (observed, wanted)]
        if len(table[0]) > 1 and min(table[1]) > 0:
            wanted_sum = np.asarray(table[1]) * (sum(table[0]) / sum(table[1]))
            assert chisquare(table[0], wanted_sum).pvalue > 1e-6


@many
@given(circuits(parameters=True), st.integers(0, 2**31 - 1))
def test_parts_together_have_the_expectation_values_of_the_whole(circuit: QuantumCircuit, seed: int) -> None:
    """Each Pauli string's value is the product of its parts' values, for every parameter set."""
    labels = random_pauli_list(circuit.num_qubits, 3, phase=False, seed=seed).to_labels()
    op = CircuitOp.from_circuit(circuit, observables=labels)
    rows = np.random.default_rng(seed).normal(size=(2, op.features.parameters))
    small = reduced(op)
    answers: list[Any] = []
    for part in small.parts:
        own = rows[:, list(part.columns)]
        (values,) = part.op.load()(*([own] if part.op.features.parameters else []))
        answers.append(np.broadcast_to(values, (2, values.shape[-1])))
    found = small.combine(answers, 2, np.random.default_rng(0))
    (expected,) = op.load()(*([rows] if op.features.parameters else []))
    assert found == pytest.approx(np.broadcast_to(expected, found.shape), abs=1e-9)


@many
@given(measured_circuits(most_gates=6), st.data())
def test_last_permutations_are_computed_on_bits(circuit: QuantumCircuit, data: st.DataObject) -> None:
    """Arithmetic before measurement is done on the counted bits: the distribution stays what it was, exactly."""
    op = CircuitOp.from_circuit(circuit, shots=1)
    final = dict(op.final_measurements or {})
    unitary = op.unitary.copy()
    n = unitary.num_qubits
    for _ in range(data.draw(st.integers(0, 6))):
        width = data.draw(st.integers(1, min(3, n)))
        name = data.draw(
            st.sampled_from(
                [("x", "y", "t"), ("cx", "cy", "swap", "cz"), ("ccx", "cswap", "rccx")][width - 1]
            )
        )
        getattr(unitary, name)(*data.draw(st.permutations(range(n)))[:width])
    bare, program = without_last_permutations(unitary, final)
    found: dict[int, float] = {}
    for state, p in enumerate(Statevector(bare).probabilities()):
        needed = sum((state >> place & 1) << place for place in program.needed)
        (bits,) = program.run({needed: 1})
        found[bits] = found.get(bits, 0.0) + p
    wanted: dict[int, float] = {}
    for state, p in enumerate(Statevector(unitary).probabilities()):
        bits = sum((state >> qubit & 1) << clbit for clbit, qubit in final.items())
        wanted[bits] = wanted.get(bits, 0.0) + p
    assert {b: p for b, p in found.items() if p > 1e-9} == pytest.approx(
        {b: p for b, p in wanted.items() if p > 1e-9}
    )


def test_of_an_adder_on_a_superposition_the_superposition_is_simulated() -> None:
    """Forty qubits that are added up are forty qubits in superposition, and bits that are added up."""
    circuit = QuantumCircuit(41)
    circuit.ry(0.7, range(40))
    for qubit in range(39):
        circuit.ccx(qubit, qubit + 1, 40)
        circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    small = reduced(CircuitOp.from_circuit(circuit, shots=10))
    assert max(part.op.features.qubits for part in small.parts) <= 10
    assert not any(part.op.features.two_qubit_gates for part in small.parts)


def test_a_fourier_transform_of_a_basis_state_falls_apart() -> None:
    """Known controls and followed swaps leave single gates: no part is wider than is worth splitting."""
    circuit = QuantumCircuit(24)
    circuit.x(range(0, 24, 3))
    circuit.append(QFTGate(24), range(24))
    circuit.measure_all()
    small = reduced(CircuitOp.from_circuit(circuit, shots=10))
    assert max(part.op.features.qubits for part in small.parts) <= 10
    assert any("swaps" in note for note in small.notes)


def test_what_is_not_asked_is_not_computed() -> None:
    """A brick wall of gates on 24 qubits, one qubit observed: the light cone is a few qubits wide."""
    circuit = QuantumCircuit(24)
    circuit.h(range(24))
    for layer in range(3):
        for qubit in range(layer % 2, 23, 2):
            circuit.rzz(0.3, qubit, qubit + 1)
        circuit.rx(0.4, range(24))
    op = CircuitOp.from_circuit(circuit, observables="I" * 12 + "Z" + "I" * 11)
    assert max(part.op.features.qubits for part in reduced(op).parts) <= 10


def test_a_dynamic_circuit_is_left_alone() -> None:
    """What happens after a measurement in the middle depends on it: nothing is dropped."""
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.x(0)
    circuit.measure([0, 1], [0, 1])
    op = CircuitOp.from_circuit(circuit, shots=10)
    assert [part.op for part in reduced(op).parts] == [op]
