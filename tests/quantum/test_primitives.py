"""Sampler and Estimator are Qiskit's primitives: the same calls, the same answers, any circuit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.primitives import BaseEstimatorV2, BaseSamplerV2, StatevectorEstimator, StatevectorSampler
from qiskit.providers import JobStatus
from qiskit.quantum_info import Pauli, SparsePauliOp, random_pauli_list
from scipy.stats import chi2_contingency

from hetero.errors import ArgumentError, InfeasibleError, ModelError, UnknownNameError
from hetero.quantum import Estimator, Sampler
from hetero.quantum.jobs import Job

from .random_circuits import EXAMPLES, circuits, measured_circuits

many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    return circuit


def rotated() -> QuantumCircuit:
    """The circuit of Qiskit's documentation: parameters a and b, registers alpha and beta."""
    circuit = QuantumCircuit(QuantumRegister(3), ClassicalRegister(2, "alpha"), ClassicalRegister(1, "beta"))
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.ry(Parameter("a"), 0)
    circuit.rz(Parameter("b"), 0)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure([0, 1], circuit.cregs[0])
    circuit.measure([2], circuit.cregs[1])
    return circuit


def sweep(points: int) -> Any:
    return np.vstack([np.linspace(-np.pi, np.pi, points), np.linspace(-4 * np.pi, 4 * np.pi, points)]).T


def agree(one: dict[str, int], other: dict[str, int]) -> bool:
    """Whether two samples may be of one distribution: chi-square at one in a million, rare outcomes together."""
    keys = sorted({*one, *other})
    table = np.array([[counts.get(key, 0) for key in keys] for counts in (one, other)])
    usual = table.sum(0) >= 10
    table = np.column_stack([table[:, usual], table[:, ~usual].sum(1)])
    table = table[:, table.sum(0) > 0]
    return table.shape[1] < 2 or float(chi2_contingency(table, correction=False).pvalue) > 1e-6


def joined(data: Any, circuit: QuantumCircuit, index: Any = ()) -> dict[str, int]:
    """Counts over all registers at once."""
    bits = [getattr(data, register.name)[index].get_bitstrings() for register in circuit.cregs]
    found: dict[str, int] = {}
    for shot in zip(*bits, strict=True):
        found["".join(shot)] = found.get("".join(shot), 0) + 1
    return found


def test_they_are_qiskits_primitives() -> None:
    """Code that asks for a BaseSamplerV2 or BaseEstimatorV2 takes them."""
    assert isinstance(Sampler(), BaseSamplerV2)
    assert isinstance(Estimator(), BaseEstimatorV2)


@many
@given(measured_circuits(most_gates=10))
def test_random_circuits_are_sampled_like_qiskits_sampler(circuit: QuantumCircuit) -> None:
    """Both samples may be of one distribution, all registers taken together."""
    shots = 2000
    ours = Sampler(seed=3).run([circuit], shots=shots).result()[0].data
    theirs = StatevectorSampler(seed=4).run([circuit], shots=shots).result()[0].data
    assert agree(joined(ours, circuit), joined(theirs, circuit))


@many
@given(circuits(parameters=True))
def test_random_circuits_are_estimated_like_qiskits_estimator(circuit: QuantumCircuit) -> None:
    """Exact values agree to 1e-6 for every parameter set and observable."""
    n = circuit.num_qubits
    labels = random_pauli_list(n, 3, phase=False, seed=n).to_labels()
    observables = [[label] for label in labels]
    values = np.random.default_rng(n).normal(size=(4, circuit.num_parameters))
    pub = (circuit, observables, values) if circuit.num_parameters else (circuit, observables)
    ours, theirs = (one.run([pub]).result()[0].data for one in (Estimator(), StatevectorEstimator()))
    assert ours.evs.shape == theirs.evs.shape
    assert np.abs(ours.evs - theirs.evs).max() < 1e-6
    assert not ours.stds.any()


def test_the_documentations_example_of_a_sampler_runs() -> None:
    """A sweep of 100 sets of two parameters into two registers: shapes, shots and bits as Qiskit's."""
    pub = (rotated(), sweep(100))
    ours, theirs = (
        one.run([pub], shots=256).result()[0].data for one in (Sampler(seed=1), StatevectorSampler(seed=1))
    )
    assert ours.shape == theirs.shape == (100,)
    for name, bits in (("alpha", 2), ("beta", 1)):
        own, other = getattr(ours, name), getattr(theirs, name)
        assert own.shape == other.shape == (100,)
        assert own.num_bits == bits
        assert own.num_shots == 256
        assert own.array.shape == other.array.shape
    for place in (3, 22, 70):
        assert agree(joined(ours, rotated(), place), joined(theirs, rotated(), place))


def test_the_documentations_example_of_an_estimator_runs() -> None:
    """Observables of shape (3, 1) against 100 parameter sets give (3, 100) values."""
    circuit = rotated().remove_final_measurements(inplace=False)
    observables = [
        [SparsePauliOp(["IXX", "IIY"], [0.5, 0.5])],
        [Pauli("IXX")],
        [Pauli("IIY")],
    ]
    pub = (circuit, observables, sweep(100))
    ours, theirs = (one.run([pub]).result()[0].data.evs for one in (Estimator(), StatevectorEstimator()))
    assert ours.shape == (3, 100)
    assert ours == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "observables", "shape"),
    [
        ((), (3,), (3,)),
        ((5,), (), (5,)),
        ((4,), (4,), (4,)),
        ((2, 1, 4), (3, 1), (2, 3, 4)),
        ((6, 1), (6,), (6, 6)),
    ],
)
def test_arrays_broadcast(
    values: tuple[int, ...], observables: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    """Parameter and observable arrays of any shapes that fit each other, as NumPy broadcasts."""
    circuit = rotated().remove_final_measurements(inplace=False)
    rng = np.random.default_rng(0)
    angles = rng.normal(size=(*values, 2))
    labels = np.array(random_pauli_list(3, int(np.prod(observables)), phase=False, seed=1).to_labels())
    pub = (circuit, labels.reshape(observables).tolist(), angles)
    ours, theirs = (one.run([pub]).result()[0].data.evs for one in (Estimator(), StatevectorEstimator()))
    assert ours.shape == shape
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_pairs_of_sets_and_observables_do_not_cost_their_product() -> None:
    """Forty sets, each with an observable of its own: only the pairs that are wanted are computed."""
    circuit = rotated().remove_final_measurements(inplace=False)
    labels = random_pauli_list(3, 40, phase=False, seed=1).to_labels()
    pub = (circuit, labels, sweep(40))
    found, expected = (one.run([pub]).result()[0].data.evs for one in (Estimator(), StatevectorEstimator()))
    assert found == pytest.approx(expected, abs=1e-9)


def test_a_circuit_that_is_changed_is_understood_anew() -> None:
    """What was remembered of a circuit, or of observables, holds as long as it is the same and no longer."""
    estimator, circuit, labels = Estimator(), bell(), ["ZI"]
    assert estimator.run([(circuit, labels)]).result()[0].data.evs == pytest.approx([0.0])
    circuit.cx(0, 1)
    circuit.h(0)
    assert estimator.run([(circuit, labels)]).result()[0].data.evs == pytest.approx([1.0])
    circuit.x(1)
    assert estimator.run([(circuit, labels)]).result()[0].data.evs == pytest.approx([-1.0])
    labels[0] = "IZ"
    assert estimator.run([(circuit, labels)]).result()[0].data.evs == pytest.approx([1.0])
    again = circuit.copy()
    again.data = again.data[:-1]
    assert estimator.run([(again, ["ZI"])]).result()[0].data.evs == pytest.approx([1.0])


def test_projectors_are_observables() -> None:
    """Qiskit's alphabet beyond Pauli letters: 0, 1, +, -, r, l."""
    pub = (bell(), [{"01": 1.0}, {"00": 1.0}, {"++": 2.0, "rl": 1.0}])
    assert Estimator().run([pub]).result()[0].data.evs == pytest.approx([0.0, 0.5, 1.5], abs=1e-9)


def test_the_middle_of_a_circuit_may_measure_reset_and_decide() -> None:
    """A qubit is measured, another follows it, the first is reset: three registers agree shot by shot."""
    first, copy, last = (ClassicalRegister(1, name) for name in ("first", "copy", "last"))
    circuit = QuantumCircuit(QuantumRegister(2), first, copy, last)
    circuit.h(0)
    circuit.measure(0, first)
    with circuit.if_test((first, 1)):
        circuit.x(1)
    circuit.measure(1, copy)
    circuit.reset(0)
    circuit.measure(0, last)
    data = Sampler(seed=0).run([circuit], shots=500).result()[0].data
    assert data.first.get_bitstrings() == data.copy.get_bitstrings()
    assert data.last.get_counts() == {"0": 500}
    assert 190 < data.first.get_counts()["1"] < 310


def test_fifty_qubits_that_hardly_entangle_are_simulated() -> None:
    """What no state vector could hold, and is no Clifford circuit: exact values by a matrix product state."""
    circuit = QuantumCircuit(50)
    circuit.rx(0.3, range(50))
    for qubit in range(49):
        circuit.crx(0.4, qubit, qubit + 1)
    ends = ["I" * 49 + "Z", "Z" * 2 + "I" * 48]
    values = Estimator().run([(circuit, ends)]).result()[0].data.evs
    narrow = Estimator().run([(circuit.copy(), ends[0])]).result()[0].data.evs
    assert values[0] == pytest.approx(np.cos(0.3))
    assert narrow == pytest.approx(np.cos(0.3))
    assert abs(values[1]) < 1


def test_a_wide_circuit_needs_no_state_vector() -> None:
    """Sixty qubits of a GHZ state, and twenty-six of a W state, whose amplitudes no memory would hold, or hardly."""
    ghz = QuantumCircuit(60)
    ghz.h(0)
    for qubit in range(59):
        ghz.cx(qubit, qubit + 1)
    ghz.measure_all()
    counts = Sampler(seed=0).run([ghz]).result()[0].data.meas.get_counts()
    assert set(counts) == {"0" * 60, "1" * 60}


def test_what_no_register_shows_is_empty_with_a_warning() -> None:
    """A circuit without classical registers has an empty result; one whose bits are never written has zeros."""
    with pytest.warns(UserWarning, match="no classical registers"):
        result = Sampler().run([bell()]).result()[0]
    assert list(result.data) == []
    silent = QuantumCircuit(1, 2)
    silent.x(0)
    assert Sampler().run([silent], shots=5).result()[0].data.c.get_counts() == {"00": 5}


def test_a_seed_repeats() -> None:
    """The same seed gives the same shots in the same order; another one, others; a pub is no copy of its neighbour."""
    circuit = bell()
    circuit.measure_all()

    def shots(seed: int) -> list[list[str]]:
        result = Sampler(seed=seed).run([circuit, circuit], shots=64).result()
        return [one.data.meas.get_bitstrings() for one in result]

    assert shots(1) == shots(1)
    assert shots(1) != shots(2)
    assert shots(1)[0] != shots(1)[1]


def test_sets_without_parameters_are_independent_samples() -> None:
    """Where a part of a circuit depends on no parameter, each set still has shots of its own."""
    circuit = QuantumCircuit(14, 14)
    circuit.h(range(1, 14))
    for qubit in range(1, 13):
        circuit.cz(qubit, qubit + 1)
    circuit.h(range(1, 14))
    circuit.rx(Parameter("x"), 0)
    circuit.measure(range(14), range(14))
    data = Sampler(seed=0).run([(circuit, [[0.0], [np.pi], [0.0]])], shots=200).result()[0].data.c
    firsts = [{bits[-1] for bits in data[i].get_bitstrings()} for i in range(3)]
    assert firsts == [{"0"}, {"1"}, {"0"}]
    assert data[0].get_counts() != data[2].get_counts()
    assert [data[i].num_shots for i in range(3)] == [200] * 3


def test_a_precision_is_the_deviation_of_the_values() -> None:
    """Values scatter about the exact one by as much as was asked for, and say so; a seed repeats them."""
    pub = (bell(), ["ZZ"] * 400)
    one, again = (Estimator(seed=5).run([pub], precision=0.1).result()[0].data for _ in range(2))
    assert one.evs.tolist() == again.evs.tolist()
    assert 0.08 < one.evs.std() < 0.12
    assert abs(one.evs.mean() - 1) < 0.03
    assert set(one.stds.tolist()) == {0.1}


def test_results_say_who_ran_what() -> None:
    """Metadata name the device and variant, predicted and measured seconds."""
    circuit = bell()
    circuit.measure_all()
    (part,) = Sampler().run([circuit]).result()[0].metadata["hetero"]["parts"]
    assert part["way"].startswith("cpu/")
    assert part["seconds"] > 0
    assert part["predicted_s"] > 0


def test_devices_can_be_allowed_and_denied() -> None:
    """Only what is left is asked; unknown words are told with those that exist."""
    circuit = bell()
    circuit.measure_all()
    for word in ("aer", "ddsim", "statevector", "stim"):
        (part,) = Sampler(allow=word).run([circuit]).result()[0].metadata["hetero"]["parts"]
        assert part["way"].startswith(f"cpu/{word}")
    with pytest.raises(UnknownNameError, match="air"):
        Sampler(allow="air")
    with pytest.raises(InfeasibleError):
        Sampler(deny=("aer", "ddsim", "statevector", "stim"))


def test_a_job_tells_how_far_it_is_and_stops_when_asked() -> None:
    """Progress counts finished pubs; after cancel nothing more is begun, and the result says so."""
    begun, go = threading.Event(), threading.Event()

    def run_pub(index: int, pub: str, go_on: Callable[[], None], *place: Any) -> Any:
        if index == 1:
            begun.set()
            assert go.wait(30)
            go_on()
        return pub

    job = Job(["a", "b", "c"], run_pub)
    assert begun.wait(30)
    assert job.progress() == (1, 3)
    assert job.status() is JobStatus.RUNNING
    assert job.running()
    assert not job.in_final_state()
    with pytest.raises(TimeoutError):
        job.result(timeout=0.01)
    assert job.cancel()
    go.set()
    with pytest.raises(BaseException, match="was cancelled"):
        job.result(30)
    assert job.cancelled()
    assert job.in_final_state()
    assert not job.cancel()


def test_a_job_keeps_what_was_raised() -> None:
    """The error of a run is its job's: the status says so, the result raises it."""

    def fail(index: int, pub: str, go_on: Callable[[], None], *place: Any) -> Any:
        raise ModelError("no")

    job = Job(["a"], fail)
    with pytest.raises(ModelError, match="no"):
        job.result(30)
    assert job.status() is JobStatus.ERROR


def nan_values() -> Any:
    return Estimator().run([(rotated().remove_final_measurements(inplace=False), "ZZZ", [0.1, np.nan])])


def wide() -> QuantumCircuit:
    circuit = QuantumCircuit(50)
    circuit.h(range(50))
    for layer in range(60):
        for qubit in range(layer % 2, 49, 2):
            circuit.rx(0.1 * layer + 0.3, qubit)
            circuit.crx(2.5, qubit, qubit + 1)
    circuit.measure_all()
    return circuit


BAD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "shots 0": (lambda: Sampler().run([rotated()], shots=0), ArgumentError, "shots=0"),
    "shots of a pub": (lambda: Sampler().run([(rotated(), [1, 2], 0)]), Exception, "shots"),
    "unbound": (lambda: Sampler().run([rotated()]), ModelError, "2 parameters without values: a, b"),
    "too many values": (lambda: Sampler().run([(rotated(), [1.0, 2.0, 3.0])]), ModelError, "pub 0: "),
    "unbound estimate": (lambda: Estimator().run([(rotated(), "ZZZ")]), ModelError, "without values: a, b"),
    "too few values": (lambda: Sampler().run([(rotated(), [1.0])]), ValueError, "inconsistent"),
    "nan": (nan_values, ArgumentError, "parameter 'b' of set 0 is nan"),
    "no list": (lambda: Sampler().run(bell()), ArgumentError, r"run\(\[pub\]\)"),
    "width": (lambda: Estimator().run([(bell(), "ZZZ")]), ValueError, "qubits"),
    "precision": (lambda: Estimator().run([(bell(), "ZZ")], precision=-1), ArgumentError, "precision=-1"),
    "too wide": (
        lambda: Sampler().run([wide()]),
        InfeasibleError,
        r"statevector needs 16 PiB of memory, the processor has .*matrix_product_state needs",
    ),
    "too wide to estimate": (
        lambda: Estimator().run([(wide().remove_final_measurements(inplace=False), "Z" * 50)]),
        InfeasibleError,
        r"cpu/ddsim: expectation values are read from the state vector, which needs 48 PiB",
    ),
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_input_is_an_error_before_work_starts(case: str) -> None:
    """`run` itself raises, naming what was found; no job is made."""
    call, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        call()


def noise() -> Any:
    """Every x and cx flips its qubits at random; reading errs one time in ten."""
    from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error

    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.2, 1), ["x", "h"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 2), ["cx"])
    model.add_all_qubit_readout_error(ReadoutError([[0.9, 0.1], [0.1, 0.9]]))
    return model


def test_noise_is_exact_in_expectation_values_and_seen_in_counts() -> None:
    """A depolarised bell pair: <ZZ> and <XX> shrink by the product of what each gate keeps; counts show bit flips."""
    values = Estimator(noise_model=noise()).run([(bell(), ["ZZ", "XX", "ZI"])]).result()[0].data.evs
    assert values == pytest.approx([0.9, 0.9 * 0.8, 0.0], abs=1e-9)
    circuit = bell()
    circuit.measure_all()
    counts = (
        Sampler(noise_model=noise(), seed=1).run([circuit], shots=20_000).result()[0].data.meas.get_counts()
    )
    correlation = sum(n if bits in ("00", "11") else -n for bits, n in counts.items()) / 20_000
    assert correlation == pytest.approx(0.9 * 0.8**2, abs=0.03)


def test_noise_on_many_parameter_sets_and_in_the_middle() -> None:
    """Sets are bound one by one, and what follows a noisy measurement follows what was read."""
    circuit = QuantumCircuit(1, 2)
    circuit.rx(Parameter("t"), 0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    circuit.measure(0, 1)
    found = (
        Sampler(noise_model=noise(), seed=1).run([(circuit, [[0.0], [np.pi]])], shots=2000).result()[0].data.c
    )
    assert found.shape == (2,)
    assert 1400 < found[0].get_counts()["00"] < 1900
    assert 1100 < found[1].get_counts()["01"] < 1900


def test_what_is_no_noise_model_is_told_so() -> None:
    """A number is no noise model."""
    circuit = bell()
    circuit.measure_all()
    with pytest.raises(ArgumentError, match="NoiseModel"):
        Sampler(noise_model=0.1).run([circuit])
