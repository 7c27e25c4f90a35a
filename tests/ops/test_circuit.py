"""A circuit as an operation: what it refuses, what it computes, and what makes two of them the same."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Gate, Parameter
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import Kraus, Pauli, SparsePauliOp, random_clifford

from hetero.errors import ArgumentError, ModelError, SpecError
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_features import features_of
from hetero.ops.circuit_reference import draw_counts, exact_expectations
from hetero.ops.circuit_stabilizer import draw_from_tableau
from hetero.ops.counts import Counts
from hetero.values import specs_of


def rotations() -> QuantumCircuit:
    """Two qubits, parameters a and b (in this order), an angle that is no plain parameter."""
    b, a = Parameter("b"), Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.rx(a, 0)
    circuit.cx(0, 1)
    circuit.ry(a * b + 0.5, 1)
    return circuit


def bell(measured: bool = True) -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    if measured:
        circuit.measure_all()
    return circuit


def with_gate(gate: Any, qubits: int = 2) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits)
    circuit.append(gate, range(qubits))
    return circuit


def run(op: CircuitOp, *inputs: Any) -> Any:
    (value,) = op.load()(*inputs)
    return value


def test_expectations_equal_qiskits_estimator() -> None:
    """The reference agrees with Qiskit's own exact estimator for every set and observable."""
    observables = [SparsePauliOp(["ZZ", "XI"], [0.5, -2.0]), SparsePauliOp("IY")]
    angles = np.random.default_rng(0).normal(size=(5, 2))
    found = run(CircuitOp.from_circuit(rotations(), observables=observables), angles)
    job = StatevectorEstimator().run([(rotations(), [[o] for o in observables], angles)])
    assert found == pytest.approx(job.result()[0].data.evs.T, abs=1e-12)


@pytest.mark.parametrize("observable", ["ZZ", Pauli("ZZ"), SparsePauliOp("ZZ")])
def test_a_single_observable_has_no_axis_of_its_own(observable: Any) -> None:
    """Shapes follow the input's leading axes, and a list of observables adds one."""
    one = CircuitOp.from_circuit(rotations(), observables=observable)
    many = CircuitOp.from_circuit(rotations(), observables=[observable])
    for shape in [(), (3,), (2, 3), (0,)]:
        angles = np.ones((*shape, 2))
        assert run(one, angles).shape == shape
        assert run(many, angles).shape == (*shape, 1)
        assert run(one, angles).dtype == np.float64


def test_a_circuit_without_parameters_has_no_input() -> None:
    """Nothing to give: the node is called without arguments."""
    op = CircuitOp.from_circuit(bell(measured=False), observables=["ZZ", "ZI"])
    assert op.inputs == ()
    assert run(op) == pytest.approx([1.0, 0.0])
    op.check("bell", ())


def test_final_measurements_do_not_disturb_expectations() -> None:
    """A circuit that was drawn for sampling can be asked for expectation values as it is."""
    assert run(CircuitOp.from_circuit(bell(), observables="XX")) == pytest.approx(1.0)


def test_keys_are_written_as_qiskit_writes_them() -> None:
    """Several registers are joined by spaces, the last one first, bit 0 on the right."""
    low, high = ClassicalRegister(2, "low"), ClassicalRegister(1, "high")
    circuit = QuantumCircuit(QuantumRegister(3), low, high)
    circuit.x(0)
    circuit.measure([0, 1, 2], [0, 1, 2])
    assert run(CircuitOp.from_circuit(circuit, shots=7)) == {"0 01": 7}


def test_a_seed_repeats_and_a_batch_is_a_list() -> None:
    """With a seed two runs are equal; each parameter set has all shots."""
    circuit = rotations()
    circuit.measure_all()
    op = CircuitOp.from_circuit(circuit, shots=50, seed=3)
    angles = np.random.default_rng(1).normal(size=(2, 3, 2))
    found = run(op, angles)
    assert found == run(op, angles)
    assert [len(row) for row in found] == [3, 3]
    assert {one.shots for row in found for one in row} == {50}
    assert isinstance(run(op, angles[0, 0]), dict)


def test_the_middle_of_a_circuit_may_measure_reset_and_decide() -> None:
    """Dynamic circuits are sampled exactly: here the copied bit always agrees, the reset one is always 0."""
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.x(2)
    with otherwise:
        circuit.x(1)
        circuit.reset(1)
    circuit.reset(0)
    circuit.measure([0, 2], [1, 2])
    counts = run(CircuitOp.from_circuit(circuit, shots=1000, seed=0))
    assert set(counts) == {"000", "101"}
    assert 400 < counts["000"] < 600


def test_a_condition_may_be_an_expression() -> None:
    """Logic, arithmetic of bits and comparisons over bits and registers decide as Qiskit means them."""
    from qiskit.circuit.classical import expr

    circuit = QuantumCircuit(QuantumRegister(4), ClassicalRegister(3, "c"), ClassicalRegister(1, "out"))
    c, out = circuit.cregs
    circuit.h([0, 1, 2])
    circuit.measure([0, 1, 2], c)
    both = expr.logic_and(expr.bit_xor(c[0], c[1]), expr.logic_not(c[2]))
    with circuit.if_test(expr.logic_or(both, expr.greater(c, 6))):
        circuit.x(3)
    circuit.measure(3, out)
    op = CircuitOp.from_circuit(circuit, shots=2000, seed=1)
    seen = {key: int(key[2:], 2) for key in run(op)}
    assert len(seen) == 8
    for key, value in seen.items():
        wanted = ((value & 1) ^ (value >> 1 & 1) and not value >> 2) or value > 6
        assert key[0] == str(int(bool(wanted)))
    other = circuit.copy()
    with other.if_test(expr.less(c, 6)):
        other.x(3)
    assert CircuitOp.from_circuit(other, shots=2000, seed=1).digest != op.digest


def test_the_same_content_has_the_same_digest() -> None:
    """Names and objects do not matter, travelling between processes does not either."""
    one = CircuitOp.from_circuit(rotations(), observables=["ZZ"], name="one")
    two = CircuitOp.from_circuit(rotations(), observables=["ZZ"], name="two")
    assert one.digest == two.digest == pickle.loads(pickle.dumps(one)).digest


def test_whatever_changes_the_answer_changes_the_digest() -> None:
    """Angles, gates, qubits, observables, shots, seed, and operators that hide inside of a gate."""
    turned = rotations()
    turned.rz(0.1, 0)
    other = rotations()
    other.rz(0.2, 0)
    evolved = [with_gate(PauliEvolutionGate(SparsePauliOp(label), 0.1)) for label in ("XX", "ZZ")]
    unitary = [with_gate(custom(angle)) for angle in (0.3, 0.4)]
    ops = [
        *(
            CircuitOp.from_circuit(c, observables="ZZ")
            for c in [rotations(), turned, other, *evolved, *unitary]
        ),
        CircuitOp.from_circuit(rotations(), observables=["ZZ"]),
        CircuitOp.from_circuit(rotations(), observables=SparsePauliOp("ZZ", 2.0)),
        *(CircuitOp.from_circuit(bell(), shots=shots, seed=seed) for shots in (1, 2) for seed in (None, 1)),
    ]
    assert len({op.digest for op in ops}) == len(ops)


def custom(angle: float) -> Gate:
    """A gate of a user: always of the same name."""
    inner = QuantumCircuit(2, name="mine")
    inner.rxx(angle, 0, 1)
    gate: Gate = inner.to_gate()
    return gate


def test_gates_are_known_by_what_they_are_made_of() -> None:
    """The same rotation inside of a user's gate and as itself is one circuit."""
    plain = QuantumCircuit(2)
    plain.rxx(0.3, 0, 1)
    own, direct = (CircuitOp.from_circuit(c, observables="ZZ") for c in (with_gate(custom(0.3)), plain))
    assert own.digest == direct.digest


QASM2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nx q[0];\nmeasure q -> c;\n'
QASM3 = 'OPENQASM 3;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nx q[0];\nc = measure q;\n'


@pytest.mark.parametrize("text", [QASM2, QASM3, "// a comment\n" + QASM2])
def test_openqasm_is_read_from_text_and_files(text: str, tmp_path: Path) -> None:
    """OpenQASM 2 and 3 load, as text and as a file."""
    path = tmp_path / "x.qasm"
    path.write_text(text)
    for source in (text, path, str(path)):
        assert run(CircuitOp.from_circuit(source, shots=3)) == {"01": 3}


def turned(qubits: int) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits)
    circuit.ry(0.1, 0)
    return circuit


def phase_only() -> Gate:
    return Gate("mystery", 2, [])


def with_nan() -> QuantumCircuit:
    circuit = bell()
    circuit.rz(float("nan"), 1)
    return circuit


def with_channel() -> QuantumCircuit:
    circuit = bell()
    circuit.append(Kraus([np.eye(2) * 0.6, np.diag([0.8, -0.8])]), [0])
    return circuit


BAD: dict[str, tuple[Callable[[], CircuitOp], type[Exception], str]] = {
    "both": (lambda: CircuitOp.from_circuit(bell(), "ZZ", 10), ArgumentError, "exactly one"),
    "neither": (lambda: CircuitOp.from_circuit(bell()), ArgumentError, "exactly one"),
    "shots 0": (lambda: CircuitOp.from_circuit(bell(), shots=0), ArgumentError, "positive integer, not 0"),
    "shots 1.5": (lambda: CircuitOp.from_circuit(bell(), shots=1.5), ArgumentError, "1.5"),  # type: ignore[arg-type]
    "seed -1": (lambda: CircuitOp.from_circuit(bell(), shots=1, seed=-1), ArgumentError, "seed"),
    "unmeasured": (lambda: CircuitOp.from_circuit(bell(measured=False), shots=1), ModelError, "measure_all"),
    "narrow": (lambda: CircuitOp.from_circuit(bell(), "Z"), ModelError, "is on 1 qubits, the circuit on 2"),
    "none": (lambda: CircuitOp.from_circuit(bell(), []), ArgumentError, "empty"),
    "word": (lambda: CircuitOp.from_circuit(bell(), "energy"), ModelError, "Pauli string such as 'ZZ'"),
    "complex": (lambda: CircuitOp.from_circuit(bell(), SparsePauliOp("ZZ", 1j)), ModelError, "Hermitian"),
    "no qubits": (lambda: CircuitOp.from_circuit(QuantumCircuit(), "I"), ModelError, "no qubits"),
    "opaque": (lambda: CircuitOp.from_circuit(with_gate(phase_only()), "ZZ"), ModelError, "'mystery'"),
    "nan": (
        lambda: CircuitOp.from_circuit(with_nan(), shots=1),
        ModelError,
        "'rz' on 1, has the parameter nan, not a finite number",
    ),
    "channel": (
        lambda: CircuitOp.from_circuit(with_channel(), shots=1),
        ModelError,
        r"instruction 'kraus' is not supported \(qiskit_aer's AerSimulator by itself runs it\)",
    ),
    "no circuit": (lambda: CircuitOp.from_circuit(7, "ZZ"), ArgumentError, "int"),
    "no file": (lambda: CircuitOp.from_circuit("nowhere.qasm", "ZZ"), ModelError, r"nowhere\.qasm"),
    "qasm 2": (lambda: CircuitOp.from_circuit(QASM2.replace("0];", "0]", 1), "Z"), ModelError, "6,0"),
    "qasm 3": (
        lambda: CircuitOp.from_circuit(QASM3.replace("0];", "0]"), "Z"),
        ModelError,
        "line 6, column 0",
    ),
    "unknown gate": (lambda: CircuitOp.from_circuit(QASM3.replace("x ", "y2 "), "Z"), ModelError, "y2"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_circuits_are_refused_when_they_are_given(case: str) -> None:
    """Each mistake is named before any work starts, with what was found."""
    build, error, message = BAD[case]
    with pytest.raises(error, match=message):
        build()


def test_an_expectation_value_needs_one_final_state() -> None:
    """Observables of a circuit that measures in its middle are refused, not guessed."""
    circuit = bell()
    circuit.h(0)
    with pytest.raises(ModelError, match="ask for shots= instead"):
        CircuitOp.from_circuit(circuit, observables="ZZ")


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((4, 3)),
        np.zeros(()),
        np.zeros(2, complex),
        np.zeros(2, bool),
        np.array(["a", "b"]),
        "text",
        [0.1, 0.2, 0.3],
        [[0.1, 0.2], [0.1]],
        {"a": 0.1, "b": 0.2},
    ],
)
def test_inputs_that_do_not_fit_are_refused_at_planning(value: Any) -> None:
    """The last axis has to be one real number for each parameter; the message names node and input."""
    op = CircuitOp.from_circuit(rotations(), observables="ZZ")
    with pytest.raises(SpecError, match=r"node 'score', input 'parameters'.*\(\.\.\., 2\).*for each of a, b"):
        op.check("score", specs_of([value]))


def test_lists_of_numbers_are_angles_too() -> None:
    """Plain Python values are taken where they make an array."""
    op = CircuitOp.from_circuit(rotations(), observables="ZZ")
    op.check("score", specs_of([[[0, 0.2], [1.0, 2]]]))
    assert run(op, [[0, 0.2], [1.0, 2]]).shape == (2,)
    assert op.work(specs_of([[[0, 0.2], [1.0, 2]]])).features["sets"] == 2


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_any_real_dtype_is_an_angle(dtype: Any) -> None:
    """Angles in any precision are taken, and computed with in double precision."""
    op = CircuitOp.from_circuit(rotations(), observables="ZZ")
    angles = np.array([[1, 2]], dtype)
    op.check("score", specs_of([angles]))
    assert run(op, angles) == pytest.approx(run(op, angles.astype(np.float64)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_angle_that_is_no_number_is_an_error_with_its_place(bad: float) -> None:
    """NaN angles do not become NaN answers."""
    angles = np.zeros((3, 2))
    angles[1, 0] = bad
    with pytest.raises(ArgumentError, match=r"\(1, 0\)"):
        run(CircuitOp.from_circuit(rotations(), observables="ZZ"), angles)


def test_wide_circuits_are_compared_with_the_cheapest_exact_method() -> None:
    """Seventeen qubits: the reference is no plain state vector any more, and gives what one gives; sixty need none."""
    circuit = turned(17)
    labels = ["Z" * 17, "I" * 16 + "Z", "XX" + "I" * 15]
    op = CircuitOp.from_circuit(circuit, observables=labels)
    (found,) = op.load()()
    assert found == pytest.approx(exact_expectations(op.unitary, op.observables), abs=1e-9)
    (wide,) = CircuitOp.from_circuit(turned(60), observables=["Z" * 60, "I" * 59 + "Z"]).load()()
    narrow = CircuitOp.from_circuit(turned(6), observables=["Z" * 6, "I" * 5 + "Z"])
    assert wide == pytest.approx(narrow.load()()[0], abs=1e-9)
    circuit.measure_all()
    (counts,) = CircuitOp.from_circuit(circuit, shots=100, seed=1).load()()
    assert sum(counts.values()) == 100


def test_wide_clifford_circuits_have_a_reference_of_their_own() -> None:
    """Forty qubits need no state vector where all gates are Clifford: values and samples are exact."""
    circuit = QuantumCircuit(40, 3)
    circuit.h([0, 39])
    for qubit in range(20):
        circuit.cx(qubit, qubit + 1)
    circuit.x(5)
    values = run(CircuitOp.from_circuit(circuit, ["I" * 38 + "ZZ", "Z" + "I" * 39, "X" + "I" * 39]))
    assert values.tolist() == [1.0, 0.0, 1.0]
    circuit.measure([0, 5, 39], [2, 0, 1])
    counts = run(CircuitOp.from_circuit(circuit, shots=4000, seed=1))
    assert set(counts) == {"001", "011", "100", "110"}
    assert all(850 < n < 1150 for n in counts.values())


def test_tableau_and_state_vector_draw_from_one_distribution() -> None:
    """A random Clifford circuit narrow enough for both: their samples agree."""
    circuit = QuantumCircuit(6)
    circuit.compose(random_clifford(6, seed=3).to_circuit(), inplace=True)
    final = {0: 4, 1: 0, 2: 5}
    measured = circuit.copy()
    measured.add_register(ClassicalRegister(3))
    measured.measure(list(final.values()), list(final))
    rng = np.random.default_rng(0)
    tableau, exact = (
        Counts({format(bits, "03b"): n for bits, n in found.items()})
        for found in (draw_from_tableau(circuit, final, 5000, rng), draw_counts(measured, 5000, rng))
    )
    assert exact.hetero_difference(tableau) == 0.0


def test_work_counts_gates_sets_and_amplitudes() -> None:
    """The prior grows with the sets, and knows the features that decide between methods."""
    op = CircuitOp.from_circuit(rotations(), observables=["ZZ", "XX"])
    one, ten = (op.work(specs_of([np.zeros((n, 2))])) for n in (1, 10))
    assert ten.flops == 10 * one.flops
    assert ten.features["sets"] == 10
    assert {"qubits": 2, "two_qubit_gates": 1, "clifford": 0, "terms": 2}.items() <= one.features.items()


def test_features_tell_final_from_middle_measurements() -> None:
    """Measuring twice is final as long as nothing else happens; a gate afterwards makes a circuit dynamic."""
    circuit = bell()
    assert not features_of(circuit).dynamic
    circuit.barrier()
    circuit.measure_all()
    assert not features_of(circuit).dynamic
    circuit.x(0)
    assert features_of(circuit).dynamic
    fresh = QuantumCircuit(1)
    fresh.reset(0)
    assert not features_of(fresh).dynamic


def test_counts_agree_with_another_draw_and_not_with_another_distribution() -> None:
    """Two samples of one distribution differ by nothing, others by their total variation distance."""
    rng = np.random.default_rng(0)
    fair, again, skewed = (
        Counts({format(i, "03b"): int(n) for i, n in enumerate(rng.multinomial(10_000, p))})
        for p in ([0.125] * 8, [0.125] * 8, [0.3, *[0.1] * 7])
    )
    assert fair.hetero_difference(again) == 0.0
    assert fair.hetero_difference(skewed) == pytest.approx(0.175, abs=0.02)
    assert fair.hetero_difference({"000": 5}) == np.inf
    assert fair.hetero_difference("text") == np.inf
