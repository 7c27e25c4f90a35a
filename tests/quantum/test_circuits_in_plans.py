"""Circuits of a pipeline are reduced before they are planned, and their nodes answer as they did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import random_pauli_list

import hetero as ht
from hetero.cost.store import ProfileStore
from hetero.device import Variant
from hetero.errors import ArgumentError, InfeasibleError
from hetero.graph import Graph
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_part import CircuitPartOp
from hetero.quantum import Sampler, choose
from hetero.registry import detect_machine, open_here
from hetero.rewrite import circuits as rewriting
from hetero.rewrite.circuits import with_small_circuits
from hetero.rewrite.light_cone import by_light_cone

from .random_circuits import EXAMPLES, circuits

few = settings(max_examples=max(EXAMPLES // 3, 10), deadline=None, suppress_health_check=list(HealthCheck))


def halves(qubits: int = 12, measured: bool = True) -> QuantumCircuit:
    """Two chains that nothing joins, each with an angle on every qubit."""
    circuit = QuantumCircuit(qubits)
    angles = ParameterVector("t", qubits)
    for qubit, angle in enumerate(angles):
        circuit.ry(angle, qubit)
    for first in (0, qubits // 2):
        for qubit in range(first, first + qubits // 2 - 1):
            circuit.crx(np.pi, qubit, qubit + 1)
    if measured:
        circuit.measure_all()
    return circuit


def traced(function: Any) -> Graph:
    return ht.pipeline(function).trace()


@few
@given(circuits(parameters=True), st.integers(0, 2**31 - 1))
def test_a_reduced_graph_gives_the_same_expectation_values(circuit: QuantumCircuit, seed: int) -> None:
    """Whatever is split, dropped or shared, each node's values are those of the graph as it was written."""
    labels = random_pauli_list(circuit.num_qubits, 3, phase=False, seed=seed).to_labels()
    several = ht.from_qiskit(circuit, observables=labels, name="several")
    one = ht.from_qiskit(circuit, observables=labels[0], name="one")
    width = circuit.num_parameters
    graph = traced((lambda x: (several(x), one(x))) if width else (lambda x: (several(), one())))
    rows = np.random.default_rng(seed).normal(size=(2, width))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rewriting, "SMALL_QUBITS", 0)
        small, notes = with_small_circuits(graph)
    assert any("one state" in note for note in notes)
    for found, wanted in zip(small.run(rows), graph.run(rows), strict=True):
        assert np.shape(found) == np.shape(wanted)
        assert found == pytest.approx(wanted, abs=1e-9)


def test_counts_of_parts_are_joined_for_each_parameter_set() -> None:
    """Two chains are drawn from apart: every set's shots are all there, and their marginals are right."""
    draw = ht.from_qiskit(halves(), shots=4000, name="draw", seed=5)
    small, notes = with_small_circuits(traced(lambda x: draw(x)))
    assert [node.name for node in small.nodes] == ["draw.1", "draw.2", "draw"]
    assert notes == ("draw: simulated as 6, 6 qubits instead of 12: 2 independent parts of 6, 6 qubits",)
    sets = np.zeros((2, 12))
    sets[1, 0] = sets[1, 6] = np.pi / 2  # the first qubit of each chain is 0 or 1, and the others follow it
    still, both = small.run(sets)
    assert still == {"0" * 12: 4000}
    assert sum(both.values()) == 4000
    assert set(both) == {a * 6 + b * 6 for a in "01" for b in "01"}
    assert min(both.values()) > 800


def test_a_part_without_parameters_is_drawn_from_for_each_set() -> None:
    """Two sets do not get the same shots of a part that is the same for both."""
    circuit = QuantumCircuit(12)
    circuit.h(range(11))
    for qubit in range(10):
        circuit.cz(qubit, qubit + 1)
    circuit.h(range(11))
    circuit.ry(ParameterVector("t", 1)[0], 11)
    circuit.measure_all()
    draw = ht.from_qiskit(circuit, shots=100, name="draw")
    small, _ = with_small_circuits(traced(lambda x: draw(x)))
    first, second = small.run(np.zeros((2, 1)))
    assert dict(first) != dict(second)


def test_maps_are_reduced_inside() -> None:
    """A circuit in a map's item is split like any other, and the map gives the same."""
    energy = ht.from_qiskit(halves(measured=False), observables=["Z" * 12, "I" * 11 + "X"], name="energy")
    graph = traced(lambda xs: ht.map(energy, xs))
    small, notes = with_small_circuits(graph)
    assert [path for path, _ in small.walk()] == ["map#1", "map#1/energy.1", "map#1/energy.2", "map#1/energy"]
    assert notes[0].startswith("map#1/energy: simulated as 6, 6 qubits")
    xs = np.random.default_rng(0).normal(size=(3, 12))
    assert np.allclose(small.run(xs), graph.run(xs))


def test_a_graph_that_was_rewritten_is_not_rewritten_again() -> None:
    """Parts of two circuits that look alike may take different angles of what both are given: they stay apart."""
    first = halves(measured=False)
    angles = [*first.parameters]
    second = first.assign_parameters({angles[0]: angles[1], angles[1]: angles[0]})
    one, other = (ht.from_qiskit(c, observables=["Z" * 12], name=n) for c, n in ((first, "a"), (second, "b")))
    graph = traced(lambda x: (one(x), other(x)))
    small, _ = with_small_circuits(graph)
    again, notes = with_small_circuits(small)
    assert (again.digest, notes) == (small.digest, ())
    x = np.random.default_rng(3).normal(size=12)
    for found, wanted in zip(again.run(x), graph.run(x), strict=True):
        assert found == pytest.approx(wanted, abs=1e-9)


def test_what_is_small_or_cannot_be_split_stays() -> None:
    """A narrow circuit, and a wide one of one piece in which every gate counts, stay the nodes that they are."""
    narrow = ht.from_qiskit(halves(6), shots=10)
    chain = QuantumCircuit(12)
    chain.h(range(12))
    for qubit in range(11):
        chain.rzz(0.3, qubit, qubit + 1)
        chain.rx(0.2, range(12))
    one = ht.from_qiskit(chain, observables="Z" * 12)
    graph = traced(lambda x: (narrow(x), one()))
    found, notes = with_small_circuits(graph)
    assert (found.digest, notes) == (graph.digest, ())


def test_observables_with_small_light_cones_are_asked_apart() -> None:
    """The energy of a ring of 40 qubits after two layers needs no state of 40 qubits: eight decide each term."""
    qubits, layers = 40, 2
    circuit = QuantumCircuit(qubits)
    circuit.h(range(qubits))
    for layer in range(layers):
        for qubit in range(qubits):
            circuit.rzz(0.4 + layer, qubit, (qubit + 1) % qubits)
            circuit.rzz(0.1, qubit, (qubit + 3) % qubits)
        circuit.rx(0.7, range(qubits))
    terms = [{q: "Z", (q + 1) % qubits: "Z"} for q in range(0, qubits, 4)]
    groups = by_light_cone(circuit, terms)
    assert sorted(number for group in groups for number in group) == list(range(len(terms)))
    assert len(groups) == len(terms)
    assert by_light_cone(circuit, [dict.fromkeys(range(qubits), "Z")]) == [[0]]


def test_a_plan_runs_the_parts_says_so_and_is_read_again(tmp_path: Path) -> None:
    """The parts are nodes of the plan with simulators of their own; a saved plan fits the pipeline as it is written."""
    energy = ht.from_qiskit(halves(measured=False), observables="ZZ" + "I" * 10, name="energy")
    angles = np.linspace(0, 1, 12)
    with (
        ProfileStore(tmp_path / "profiles.sqlite") as store,
        ht.plan(energy, angles, allow="statevector", store=store) as plan,
    ):
        assert {"energy.1", "energy"} <= set(plan.placement)
        assert "energy: simulated as 6 qubits instead of 12" in plan.explain()
        assert plan(angles) == pytest.approx(energy(angles), abs=1e-9)
        plan.save(tmp_path / "plan.json")
        with ht.load_plan(tmp_path / "plan.json", energy) as again:
            assert again(angles) == pytest.approx(energy(angles), abs=1e-9)
        plan.graph.save(tmp_path / "graph")
        assert Graph.load(tmp_path / "graph", plan.graph).digest == plan.graph.digest


@pytest.mark.parametrize("engine", ["aer", "ddsim", "statevector"])
def test_a_part_takes_its_own_angles_on_every_simulator(engine: str) -> None:
    """Given the parameters of the whole, each device computes what the reference does."""
    pytest.importorskip({"aer": "qiskit_aer", "ddsim": "mqt.ddsim"}.get(engine, "numba"))
    angles = ParameterVector("t", 2)
    circuit = QuantumCircuit(2)
    circuit.ry(angles[0], 0)
    circuit.cx(0, 1)
    circuit.rx(angles[1], 1)
    part = CircuitPartOp.of(CircuitOp.from_circuit(circuit, observables=["ZI", "IX"]), (3, 0), tuple("abcde"))
    sets = np.random.default_rng(0).normal(size=(3, 5))
    (info,) = (info for info in detect_machine().devices if info.engine == engine)
    device = open_here(info)
    variant = device.variants(part, ()).variants[0]
    executable = device.compile(part, Variant("fp64", 1, settings=variant.settings))
    (found,) = executable.start([sets]).wait()
    executable.close()
    assert found == pytest.approx(part.load()(sets)[0], abs=1e-9)
    assert found == pytest.approx(part.alone.load()(sets[:, [3, 0]])[0], abs=1e-9)


def coin(qubits: int = 2) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def test_shots_left_to_the_planner_are_the_fewest_within_the_error_limit(tmp_path: Path) -> None:
    """A plan's error limit says how many shots there are; their standard error is the plan's error, and it is told."""
    toss = ht.from_qiskit(coin(), shots=ht.auto, name="toss")
    assert sum(toss().values()) == 2500
    with ProfileStore(tmp_path / "profiles.sqlite") as store:
        for limits, shots in ((ht.Limits(error=0.05), 100), (None, 2500)):
            with ht.plan(toss, limits=limits, store=store, allow=("statevector", "python")) as plan:
                assert sum(plan().values()) == shots
                assert plan.estimate.error == pytest.approx(0.5 / shots**0.5)
                assert plan.estimate.sources["error"] == "modelled"
                assert f"toss: {shots:,} shots, the fewest" in plan.explain()
                plan.save(tmp_path / "plan.json")
            with ht.load_plan(tmp_path / "plan.json", toss) as again:
                assert sum(again().values()) == shots
        with pytest.raises(InfeasibleError, match=r"takes 2\.5e"):
            ht.plan(toss, limits=ht.Limits(error=1e-6), store=store)


def test_parts_draw_the_shots_that_the_limit_asks_for() -> None:
    """Shots are settled before a circuit is split, and its parts have as many."""
    draw = ht.from_qiskit(halves(), shots=ht.auto, name="draw")
    small, notes = with_small_circuits(traced(lambda x: draw(x)), 0.05)
    assert {node.op.shots for node in small.nodes if isinstance(node.op, CircuitOp)} == {100}
    assert [note.split(",")[0] for note in notes] == ["draw: 100 shots", "draw: simulated as 6"]
    assert sum(small.run(np.zeros(12)).values()) == 100


def test_primitives_draw_for_an_error_too() -> None:
    """`shots=ht.auto`, or an error by itself, is as many shots as the error takes; a number stays a number."""
    for sampler, shots, drawn in (
        (Sampler(error=0.05), None, 100),
        (Sampler(), ht.auto, 2500),
        (Sampler(default_shots=ht.auto), None, 2500),
        (Sampler(error=0.05), 10, 10),
    ):
        (found,) = sampler.run([coin()], shots=shots).result()
        assert found.data.meas.num_shots == drawn
    assert choose(coin(), shots=ht.auto, error=0.1).standard_error == pytest.approx(0.1)
    assert choose(coin(), error=0.1).standard_error == pytest.approx(0.1)
    with pytest.raises(ArgumentError, match="above 0"):
        Sampler(error=0.0)
