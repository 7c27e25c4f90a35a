"""Loops and switches in circuits: as Aer runs them, by every method that can, refused by name by the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.circuit.classical import expr
from qiskit_aer import AerSimulator

import hetero as ht
from hetero.errors import InfeasibleError, ModelError
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_form import plain
from hetero.ops.circuit_loops import unrolled
from hetero.ops.counts import Counts
from hetero.quantum import Sampler, choose
from hetero.registry import available, open_device
from hetero.values import specs_of

SHOTS = 2000


def repeat_until_zero() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.h(0)
        circuit.cx(0, 1)
        circuit.measure(0, 0)
    circuit.measure(1, 1)
    return circuit


def left_early() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    with circuit.for_loop(range(5)) as turn:
        circuit.rx(turn * 0.3, 0)
        circuit.cx(0, 1)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.break_loop()
        circuit.ry(0.4, 1)
    circuit.measure(1, 1)
    return circuit


def skipping() -> QuantumCircuit:
    """A loop in a loop: `continue_loop` is heard by the inner one only."""
    circuit = QuantumCircuit(2, 2)
    with circuit.for_loop(range(2)):
        circuit.ry(0.7, 0)
        with circuit.for_loop((0, 2, 3)) as turn:
            circuit.rx(turn * 0.4, 1)
            circuit.measure(1, 1)
            with circuit.if_test((circuit.clbits[1], 1)):
                circuit.continue_loop()
            circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def switched() -> QuantumCircuit:
    qubits, first, second = QuantumRegister(2), ClassicalRegister(2, "first"), ClassicalRegister(1, "second")
    circuit = QuantumCircuit(qubits, first, second)
    circuit.h([0, 1])
    circuit.measure([0, 1], first)
    with circuit.switch(first) as case:
        with case(0, 1):
            circuit.x(0)
            circuit.measure(0, first[0])  # what decides may change meanwhile
        with case(2):
            circuit.ry(0.9, 0)
        with case(case.DEFAULT):
            circuit.h(1)
    circuit.measure(0, second[0])
    return circuit


def written_out() -> QuantumCircuit:
    circuit = QuantumCircuit(3)
    with circuit.for_loop(range(4)) as turn:
        circuit.rx(turn * 0.3, 0)
        with circuit.for_loop((0, 1)):
            circuit.cx(0, 1)
            circuit.ry(turn * 0.2, 2)
    circuit.measure_all()
    return circuit


CIRCUITS = (repeat_until_zero, left_early, skipping, switched, written_out)


def by_aer(circuit: QuantumCircuit) -> Counts:
    found = AerSimulator(method="statevector", seed_simulator=5).run(circuit, shots=SHOTS).result()
    return Counts(found.get_counts())


@pytest.mark.parametrize("made", CIRCUITS, ids=lambda made: made.__name__)
def test_every_method_agrees_with_aer_on_the_circuit_as_it_was_written(
    made: Callable[[], QuantumCircuit],
) -> None:
    """The reference, and every variant that a simulator offers, draw from Aer's own distribution."""
    expected = by_aer(made())
    op = CircuitOp.from_circuit(made(), shots=SHOTS, seed=3)
    (reference,) = op.load()()
    assert expected.hetero_difference(reference) == 0
    tried = set()
    for status in available():
        if status.info is None or op.kind not in status.info.kinds:
            continue
        device = open_device(status.info)
        for variant in device.variants(op, ()).variants:
            executable = device.compile(op, variant)
            (counts,) = executable.start(()).wait()
            executable.close()
            assert expected.hetero_difference(counts) == 0, (status.name, str(variant))
            tried.add(status.name)
    assert "cpu/aer" in tried
    assert ("cpu/ddsim" in tried) == (made is written_out)


@pytest.mark.parametrize("made", [repeat_until_zero, switched], ids=lambda made: made.__name__)
def test_the_sampler_takes_them(made: Callable[[], QuantumCircuit]) -> None:
    """As a drop-in does."""
    found = Sampler(seed=4).run([made()], shots=SHOTS).result()[0]
    counts = Counts({bits.replace(" ", ""): n for bits, n in found.join_data().get_counts().items()})
    expected = {bits.replace(" ", ""): n for bits, n in by_aer(made()).items()}
    assert counts.hetero_difference(expected) == 0


def test_a_plan_takes_them() -> None:
    """Parameters stay open inside a loop, and are bound for each set."""
    angle = Parameter("angle")
    circuit = QuantumCircuit(1, 1, name="turns")
    with circuit.for_loop(range(1, 3)) as turn:
        circuit.rx(angle * turn, 0)
    circuit.measure(0, 0)
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.x(0)
        circuit.measure(0, 0)
    node = ht.from_qiskit(circuit, shots=50)
    with ht.plan(node, np.array([np.pi / 3]), allow=["aer"]) as plan:
        assert plan(np.array([np.pi / 3])) == {"0": 50}


def test_loops_over_known_values_are_written_out() -> None:
    """So that reductions and every method take them: the whole circuit measures at its end only."""
    op = CircuitOp.from_circuit(written_out(), shots=10)
    assert not op.features.dynamic
    assert op.circuit.count_ops()["ry"] == 8
    assert CircuitOp.from_circuit(written_out(), shots=10).digest == op.digest
    assert unrolled(repeat_until_zero()).count_ops()["while_loop"] == 1


def test_each_loop_has_a_digest_of_its_own() -> None:
    """What decides is part of the content: other values, targets or cases are another circuit."""

    def with_case(value: int) -> QuantumCircuit:
        circuit = QuantumCircuit(1, 2)
        circuit.measure(0, 0)
        with circuit.switch(circuit.clbits[0]) as case, case(value):
            circuit.x(0)
        circuit.measure(0, 1)
        return circuit

    def over(values: Any) -> QuantumCircuit:
        circuit = QuantumCircuit(1, 1)
        with circuit.for_loop(values):
            circuit.measure(0, 0)
            with circuit.if_test((circuit.clbits[0], 1)):
                circuit.break_loop()
        return circuit

    made = [with_case(0), with_case(1), over((1, 2)), over((1, 2, 3))]
    assert len({CircuitOp.from_circuit(one, shots=1).digest for one in made}) == 4


def test_who_cannot_run_it_is_told_by_name() -> None:
    """`choose` lists each method's reason; with nothing left the run is refused before it begins."""
    told = str(choose(repeat_until_zero(), shots=10))
    assert "cpu/ddsim fp64 threads=1: cpu/ddsim: it knows no while_loop" in told
    with pytest.raises(InfeasibleError, match="it knows no while_loop"):
        Sampler(deny="aer").run([repeat_until_zero()])


def test_a_loop_that_never_ends_is_refused() -> None:
    """Where that can be seen: nothing in it is measured, and nothing leaves it."""
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with circuit.while_loop((circuit.clbits[0], 0)):
        circuit.h(0)
    with pytest.raises(ModelError, match="while_loop whose body measures nothing"):
        CircuitOp.from_circuit(circuit, shots=1)


def test_a_switch_on_an_expression_is_refused() -> None:
    """Aer has none, and nobody else has any."""
    circuit = QuantumCircuit(1, 2)
    with circuit.switch(expr.lift(circuit.clbits[0])) as case, case(1):
        circuit.x(0)
    circuit.measure(0, 1)
    with pytest.raises(ModelError, match="switch_case on an expression is not supported; switch on a bit"):
        CircuitOp.from_circuit(circuit, shots=1)


def test_parameters_and_foreign_gates_inside_a_loop() -> None:
    """Gates that Aer has to have translated, with angles that come later, in a loop that is left early."""
    angle = Parameter("angle")
    circuit = QuantumCircuit(2, 2)
    with circuit.for_loop(range(4)) as turn:
        circuit.ry(angle * turn, 0)
        circuit.crx(angle, 0, 1)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.break_loop()
    circuit.measure(1, 1)
    op = CircuitOp.from_circuit(circuit, shots=SHOTS, seed=3)
    angles = np.array([[0.4], [1.1]])
    (references,) = op.load()(angles)
    for status in available():
        if status.name == "cpu/aer" and status.info is not None:
            device = open_device(status.info)
            for variant in device.variants(op, specs_of([angles])).variants:
                (found,) = device.compile(op, variant).start([angles]).wait()
                assert [a.hetero_difference(b) for a, b in zip(references, found, strict=True)] == [0, 0]
    bound = circuit.assign_parameters([1.1])
    assert by_aer(bound).hetero_difference(references[1]) == 0


def test_long_loops_stay_loops() -> None:
    """Writing out a million turns would take longer than running them."""
    circuit = QuantumCircuit(1, 1)
    with circuit.for_loop(range(1_000_000)):
        circuit.h(0)
    circuit.measure(0, 0)
    assert plain(circuit).count_ops()["for_loop"] == 1
