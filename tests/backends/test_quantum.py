"""Every quantum device and variant against the exact state: expectation values, counts, and what they refuse."""

from __future__ import annotations

import importlib
import subprocess
import sys
from functools import cache
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter, ParameterVector, Qubit
from qiskit.circuit.library import PauliEvolutionGate, QFTGate, UnitaryGate
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import SparsePauliOp, random_unitary
from scipy.stats import chisquare

from hetero.device import Device, Variant
from hetero.errors import ArgumentError
from hetero.machine import Processor
from hetero.ops.circuit import CircuitOp
from hetero.ops.function import FunctionOp
from hetero.values import specs_of

CPU = Processor("cpu", cores=2, memory_bytes=8 << 30, vendor="maker", model="chip")
FAMILIES = ("aer", "ddsim", "statevector", "stim")
TOLERANCE = {"fp64": 1e-9, "fp32": 1e-4}


@cache
def device(family: str, cpu: Processor = CPU) -> Device:
    """The family's device in this process, whatever isolation it asks for in production."""
    backend = importlib.import_module(f"hetero.backends.{family}")
    (status,) = backend.probe(cpu)
    opened: Device = backend.open_device(status.info)
    return opened


def offers(op: CircuitOp, *inputs: Any) -> list[tuple[Device, Variant]]:
    """Every way that a family offers; there is one, or what loops over them would test nothing."""
    found = [
        (device(family), variant)
        for family in FAMILIES
        for variant in device(family).variants(op, specs_of(inputs)).variants
    ]
    assert found, f"no family offers {op.name!r}"
    return found


def run(where: Device, op: CircuitOp, variant: Variant, *inputs: Any) -> Any:
    executable = where.compile(op, variant)
    try:
        (value,) = executable.start(inputs).wait()
        return value
    finally:
        executable.close()


def layered(qubits: int = 4) -> QuantumCircuit:
    """Rotations by parameters, by expressions linear and not, and every kind of two-qubit gate."""
    x = ParameterVector("x", qubits)
    circuit = QuantumCircuit(qubits)
    for q in range(qubits):
        circuit.ry(x[q], q)
        circuit.rx(2 * x[q] - 0.3, q)
    for q in range(qubits - 1):
        circuit.rzz(x[q] * x[q + 1], q, q + 1)
        circuit.cx(q, q + 1)
    circuit.h(0)
    circuit.cp(x[1] + x[2], 0, 2)
    circuit.cz(1, 3)
    circuit.swap(0, 3)
    circuit.u(x[0], 0.2, x[3].sin(), 1)
    circuit.t(2)
    return circuit


OBSERVABLES = [SparsePauliOp("ZZII"), SparsePauliOp(["XYZI", "IYYX"], [0.5, -1.5]), SparsePauliOp("IIIY")]


def test_every_variant_gives_the_references_expectation_values() -> None:
    """A batch of parameter sets, nonlinear angles and Pauli sums agree to the variant's precision."""
    op = CircuitOp.from_circuit(layered(), observables=OBSERVABLES)
    angles = np.random.default_rng(0).normal(size=(2, 9, 4))
    (expected,) = op.load()(angles)
    seen = set()
    for where, variant in offers(op, angles):
        found = run(where, op, variant, angles)
        assert found.shape == (2, 9, 3)
        assert np.abs(found - expected).max() < TOLERANCE[variant.precision], (where.info.name, variant)
        seen.add((where.info.engine, variant.precision, variant.settings.get("method")))
    assert seen == {
        ("aer", "fp64", "statevector"),
        ("aer", "fp32", "statevector"),
        ("aer", "fp64", "matrix_product_state"),
        ("ddsim", "fp64", None),
        ("statevector", "fp64", None),
    }


@pytest.mark.parametrize("seed", range(6))
def test_random_circuits_agree_everywhere(seed: int) -> None:
    """Gates of up to four qubits of Qiskit's library, in circuits of 1 to 6 qubits."""
    circuit = random_circuit(1 + seed, 6, max_operands=min(4, 1 + seed), seed=seed)
    labels = ["".join(np.random.default_rng([seed, i]).choice(list("IXYZ"), 1 + seed)) for i in range(4)]
    op = CircuitOp.from_circuit(circuit, observables=labels)
    (expected,) = op.load()()
    for where, variant in offers(op):
        found = run(where, op, variant)
        assert np.abs(found - expected).max() < TOLERANCE[variant.precision], (where.info.name, variant)


PARAMETRIC = (
    "rx",
    "ry",
    "rz",
    "p",
    "r",
    "u",
    "rxx",
    "ryy",
    "rzz",
    "rzx",
    "cp",
    "crx",
    "cry",
    "crz",
    "cu",
    "mcp",
)


@pytest.mark.parametrize("name", PARAMETRIC)
def test_every_parametric_gate_is_bound_rightly(name: str) -> None:
    """Parameters bound by the engine while it runs mean what Qiskit means. (Aer gets controlled gates wrong.)"""
    width = 1 if name in ("rx", "ry", "rz", "p", "r", "u") else 3 if name == "mcp" else 2
    count = {"r": 2, "u": 3, "cu": 4}.get(name, 1)
    angles = [Parameter(f"t{i}") for i in range(count)]
    circuit = QuantumCircuit(3)
    for qubit in range(3):
        circuit.u(0.3 + qubit, 0.4, 0.5 * qubit, qubit)
    getattr(circuit, name)(*angles, *([[0, 1], 2] if name == "mcp" else range(width)))
    for qubit in range(3):
        circuit.u(1.3 + qubit, 0.4, 0.5 * qubit, qubit)
    op = CircuitOp.from_circuit(circuit, SparsePauliOp(["ZXY", "XYZ", "YZX"], [1, 0.3, 0.2]))
    sets = np.random.default_rng(0).normal(size=(3, count))
    (expected,) = op.load()(sets)
    for where, variant in offers(op, sets):
        found = run(where, op, variant, sets)
        assert np.abs(found - expected).max() < TOLERANCE[variant.precision], (where.info.name, variant)


def prepared() -> QuantumCircuit:
    circuit = QuantumCircuit(3)
    circuit.initialize([0.6, 0, 0, 0.8j], [0, 2])
    circuit.h(1)
    circuit.cx(1, 0)
    return circuit


def delayed() -> QuantumCircuit:
    circuit = QuantumCircuit([Qubit(), Qubit(), Qubit()], global_phase=0.3)
    circuit.reset(0)
    circuit.h(0)
    circuit.delay(10, 0)
    circuit.barrier()
    circuit.cx(0, 1)
    circuit.ry(0.4, 2)
    return circuit


def nested() -> QuantumCircuit:
    inner = QuantumCircuit(2, name="inner")
    inner.ry(0.4, 0)
    inner.cx(0, 1)
    middle = QuantumCircuit(2, name="middle")
    middle.append(inner, [1, 0])
    circuit = QuantumCircuit(3)
    circuit.append(middle, [0, 2])
    circuit.append(QFTGate(3), range(3))
    return circuit


def evolved() -> QuantumCircuit:
    circuit = QuantumCircuit(3)
    circuit.h([0, 1, 2])
    hamiltonian = SparsePauliOp(["XXI", "IZZ", "YIX"], [0.3, 0.5, 0.7])
    circuit.append(PauliEvolutionGate(hamiltonian, Parameter("t")), range(3))
    return circuit


@pytest.mark.parametrize("circuit", [prepared(), delayed(), nested(), evolved()])
def test_what_qiskit_composes_means_the_same_everywhere(circuit: QuantumCircuit) -> None:
    """State preparations, delays, qubits without registers, circuits in circuits, product formulas."""
    op = CircuitOp.from_circuit(circuit, observables=["ZZX", "XIY", "IZZ"])
    inputs = (np.array([[0.3], [1.4]]),) if op.inputs else ()
    (expected,) = op.load()(*inputs)
    for where, variant in offers(op, *inputs):
        found = run(where, op, variant, *inputs)
        assert np.abs(found - expected).max() < TOLERANCE[variant.precision], (where.info.name, variant)


def test_one_set_no_set_and_no_parameter() -> None:
    """Shapes are the reference's: a single set, an empty batch, a circuit without parameters."""
    for op, inputs in [
        (CircuitOp.from_circuit(layered(), observables="ZZZZ"), (np.ones(4),)),
        (CircuitOp.from_circuit(layered(), observables=OBSERVABLES), (np.ones((0, 4)),)),
        (CircuitOp.from_circuit(ghz(3), observables=["ZZI", "XXX"]), ()),
    ]:
        (expected,) = op.load()(*inputs)
        for where, variant in offers(op, *inputs):
            found = run(where, op, variant, *inputs)
            assert found.shape == expected.shape
            assert found == pytest.approx(expected, abs=TOLERANCE[variant.precision])


def ghz(qubits: int, measured: bool = False) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits)
    circuit.h(0)
    for qubit in range(qubits - 1):
        circuit.cx(qubit, qubit + 1)
    if measured:
        circuit.measure_all()
    return circuit


def turned(qubits: int) -> QuantumCircuit:
    """No Clifford circuit."""
    circuit = ghz(qubits)
    circuit.ry(0.3, 0)
    return circuit


def scrambled_registers() -> QuantumCircuit:
    """More classical bits than are measured, in two registers, in another order than the qubits."""
    circuit = QuantumCircuit(QuantumRegister(3), ClassicalRegister(2, "a"), ClassicalRegister(4, "b"))
    circuit.ry(0.7, 0)
    circuit.cx(0, 1)
    circuit.rx(1.9, 2)
    circuit.measure([0, 1, 2], [3, 1, 4])
    return circuit


def conditional() -> QuantumCircuit:
    """Measures a qubit, turns another by the outcome, resets and uses the first again."""
    circuit = QuantumCircuit(2, 3)
    circuit.ry(1.1, 0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.ry(0.8, 1)
    circuit.reset(0)
    circuit.ry(2.0, 0)
    circuit.measure([0, 1], [1, 2])
    return circuit


SAMPLED = {
    # key -> exact probability, worked out by hand
    "ghz": (ghz(5, measured=True), {"00000": 0.5, "11111": 0.5}),
    "registers": (
        scrambled_registers(),
        {
            f"0{c}{a}0 {a}0": (np.cos(0.35) ** 2, np.sin(0.35) ** 2)[a]
            * (np.cos(0.95) ** 2, np.sin(0.95) ** 2)[c]
            for a in (0, 1)
            for c in (0, 1)
        },
    ),
    "conditional": (
        conditional(),
        {
            f"{t}{r}{m}": (np.cos(0.55) ** 2, np.sin(0.55) ** 2)[m]
            * (np.cos(1.0) ** 2, np.sin(1.0) ** 2)[r]
            * ((1.0, 0.0), (np.cos(0.4) ** 2, np.sin(0.4) ** 2))[m][t]
            for m in (0, 1)
            for r in (0, 1)
            for t in (0, 1)
        },
    ),
}


def plausible(counts: dict[str, int], exact: dict[str, float]) -> bool:
    """Chi-square test at 1e-6 against exact probabilities; nothing impossible was seen."""
    possible = {key: p for key, p in exact.items() if p > 0}
    if not set(counts) <= set(possible):
        return False
    shots = sum(counts.values())
    observed = [counts.get(key, 0) for key in possible]
    return bool(chisquare(observed, [shots * p for p in possible.values()]).pvalue > 1e-6)


@pytest.mark.parametrize("case", SAMPLED)
def test_counts_follow_the_exact_distribution(case: str) -> None:
    """The reference and every variant draw from the exact probabilities, keys as Qiskit writes them."""
    circuit, exact = SAMPLED[case]
    op = CircuitOp.from_circuit(circuit, shots=4000, seed=11)
    assert plausible(op.load()()[0], exact)
    engines = set()
    for where, variant in offers(op):
        counts = run(where, op, variant)
        assert sum(counts.values()) == 4000
        assert plausible(counts, exact), (where.info.name, variant, counts)
        engines.add(where.info.engine)
    expected = {"conditional": {"aer", "ddsim"}, "registers": set(FAMILIES) - {"stim"}}
    assert engines == expected.get(case, set(FAMILIES))


def test_a_seed_repeats_on_each_variant_and_sets_are_drawn_apart() -> None:
    """The same seed gives the same counts; equal parameter sets of a batch do not share their draws."""
    circuit = QuantumCircuit(3)
    for qubit in range(3):
        circuit.ry(Parameter(f"t{qubit}"), qubit)
    circuit.measure_all()
    op = CircuitOp.from_circuit(circuit, shots=500, seed=5)
    angles = np.full((3, 3), 1.2)
    for where, variant in offers(op, angles):
        first, again = (run(where, op, variant, angles) for _ in range(2))
        assert first == again, (where.info.name, variant)
        assert first[0] != first[1]
        assert first[1] != first[2]


def test_without_a_seed_runs_differ() -> None:
    """Independent runs are independent samples."""
    op = CircuitOp.from_circuit(SAMPLED["registers"][0], shots=2000)
    for where, variant in offers(op):
        executable = where.compile(op, variant)
        assert len({str(executable.start([]).wait()) for _ in range(4)}) > 1, (where.info.name, variant)


def test_stabilizer_is_offered_to_clifford_circuits_only() -> None:
    """A rotation takes the stabilizer method away, with the reason."""
    methods = {v.settings["method"] for _, v in offers(CircuitOp.from_circuit(ghz(3), "ZZZ")) if v.settings}
    assert "stabilizer" in methods
    found = device("aer").variants(CircuitOp.from_circuit(layered(), "ZZZZ"), specs_of([np.ones(4)]))
    assert any("Clifford circuits only" in refusal.reason for refusal in found.refusals)


def test_stim_knows_every_clifford_gate_of_its_list() -> None:
    """Random Clifford circuits of all its gates: expectation values and counts as the reference has them."""
    rng = np.random.default_rng(0)
    one, two = ("id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg"), ("cx", "cy", "cz", "swap", "iswap")
    for _ in range(8):
        circuit = QuantumCircuit(4)
        for _ in range(40):
            a, b = (int(qubit) for qubit in rng.choice(4, 2, replace=False))
            getattr(circuit, str(rng.choice(one)))(a)
            getattr(circuit, str(rng.choice(two)))(a, b)
        labels = ["".join(rng.choice(list("IXYZ"), 4)) for _ in range(6)]
        op = CircuitOp.from_circuit(circuit, observables=[SparsePauliOp(labels, np.arange(6)), *labels])
        (expected,) = op.load()()
        assert run(device("stim"), op, Variant("fp64")) == pytest.approx(expected, abs=1e-9)
        circuit.measure_all()
        sampled = CircuitOp.from_circuit(circuit, shots=500, seed=3)
        counts = run(device("stim"), sampled, Variant("fp64"))
        assert sampled.load()()[0].hetero_difference(counts) == 0


def test_threads_are_offered_where_they_have_something_to_share() -> None:
    """One small circuit runs on one thread; a batch may use them all."""
    op = CircuitOp.from_circuit(layered(), "ZZZZ")
    assert {v.threads for _, v in offers(op, np.ones(4))} == {1}
    assert {v.threads for _, v in offers(op, np.ones((100, 4)))} == {1, 2}


def test_memory_is_never_exceeded() -> None:
    """What does not fit into the processor's memory is refused with the bytes it needs."""
    tight = Processor("cpu", cores=1, memory_bytes=1 << 30)
    op, wide = (CircuitOp.from_circuit(make(28), observables="Z" * 28) for make in (ghz, turned))
    found = device("aer", tight).variants(op, ())
    assert {v.settings["method"] for v in found.variants} == {"matrix_product_state", "stabilizer"}
    reasons = [r.reason for r in device("aer", tight).variants(wide, ()).refusals]
    assert any("statevector needs 4 GiB of memory, the processor has 1 GiB" in reason for reason in reasons)
    assert any("12 GiB" in r.reason for r in device("ddsim", tight).variants(op, ()).refusals)
    (value,) = device("aer", tight).compile(op, found.variants[0]).start([]).wait()
    assert value == pytest.approx(1.0)


def test_each_device_says_what_it_does_not_run() -> None:
    """Other kinds of ops, wide circuits, dynamic circuits and known crashes are refused with a reason."""
    function = FunctionOp(len)
    for family in FAMILIES:
        assert "runs circuits" in device(family).variants(function, ()).refusals[0].reason
    wide = device("statevector").variants(CircuitOp.from_circuit(ghz(17), "Z" * 17), ())
    assert "at most 16 qubits" in wide.refusals[0].reason
    dynamic = device("statevector").variants(CircuitOp.from_circuit(conditional(), shots=1), ())
    assert "before its end" in dynamic.refusals[0].reason
    matrix = QuantumCircuit(3)
    matrix.append(UnitaryGate(random_unitary(8, seed=0)), range(3))
    crash = device("ddsim").variants(CircuitOp.from_circuit(matrix, "ZZZ"), ())
    assert "known to crash" in crash.refusals[0].reason


def test_a_bad_angle_is_an_error_on_every_device() -> None:
    """NaN in a batch is named with its place, whoever runs it."""
    op = CircuitOp.from_circuit(layered(), "ZZZZ")
    angles = np.zeros((2, 4))
    angles[1, 2] = np.nan
    for where, variant in offers(op, angles):
        with pytest.raises(ArgumentError, match=r"\(1, 2\)"):
            run(where, op, variant, angles)


@pytest.mark.parametrize("qubits", [1, 2, 10, 16])
def test_the_batched_engine_is_right_at_its_edges(qubits: int) -> None:
    """From 1 to 16 qubits, with a number of sets that fills no block of lanes."""
    x = Parameter("x")
    circuit = QuantumCircuit(qubits)
    circuit.ry(x, 0)
    for qubit in range(qubits - 1):
        circuit.cx(qubit, qubit + 1)
    op = CircuitOp.from_circuit(circuit, observables=["Z" * qubits, "I" * (qubits - 1) + "Z"])
    angles = np.linspace(0, 3, 11)[:, None]
    where = device("statevector")
    found = run(where, op, Variant("fp64", 2), angles)
    assert found[:, 1] == pytest.approx(np.cos(angles[:, 0]), abs=1e-12)
    assert found[:, 0] == pytest.approx(1.0 if qubits % 2 == 0 else np.cos(angles[:, 0]), abs=1e-12)


def test_probing_imports_no_engine() -> None:
    """Listing devices costs no simulator."""
    code = (
        "import sys\n"
        "from hetero.machine import Processor\n"
        "from hetero.backends import aer, ddsim, statevector\n"
        "assert all(m.probe(Processor('cpu'))[0].available for m in (aer, ddsim, statevector))\n"
        "assert not {'qiskit', 'qiskit_aer', 'mqt.ddsim', 'numba'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
