"""Programs written for Qiskit's V2 primitives run as they are when the import is changed, and answer alike.

Each program is a function of the classes that its import line would bring. It runs with Qiskit's own (or Aer's, where
Qiskit's do not simulate what it needs) and with hetero's, and what it returns is compared. (What a precision does: see
test_primitives.py.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import efficient_su2, real_amplitudes
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Pauli, SparsePauliOp
from qiskit.transpiler import generate_preset_pass_manager

from hetero.errors import ArgumentError, UnknownNameError
from hetero.quantum import Estimator, Sampler

aer = pytest.importorskip("qiskit_aer.primitives")

SHOTS = 4096
TOLERANCE = 5 * 0.5 / SHOTS**0.5
"""Five standard errors of a relative frequency, twice: for both samples."""


def several_pubs(sampler_class: Any) -> dict[str, Any]:
    """A bound circuit, a sweep of one parameter and a circuit with shots of its own, in one call."""
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    theta = Parameter("theta")
    turned = QuantumCircuit(1)
    turned.ry(theta, 0)
    turned.measure_all()
    sampler = sampler_class(seed=42)
    job = sampler.run([bell, (turned, np.linspace(0, np.pi, 5)), (turned, [0.4], 128)], shots=SHOTS)
    first, sweep, few = job.result()
    assert job.done()
    assert isinstance(job.job_id(), str)
    return {
        "bell": first.data.meas.get_counts().get("11", 0) / SHOTS,
        "sweep": [sweep.data.meas.get_counts(place).get("1", 0) / SHOTS for place in range(5)],
        "shapes": (sweep.data.shape, sweep.data.meas.shape, few.data.meas.num_shots, first.metadata["shots"]),
    }


def several_registers(sampler_class: Any) -> dict[str, Any]:
    """Two classical registers: counts of each, of both together, of a slice, and after a selection."""
    qubits, low, high = QuantumRegister(3), ClassicalRegister(2, "low"), ClassicalRegister(1, "high")
    circuit = QuantumCircuit(qubits, low, high)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.ry(0.7, 2)
    circuit.measure([0, 1], low)
    circuit.measure(2, high[0])
    (result,) = sampler_class(default_shots=SHOTS, seed=7).run([circuit]).result()
    data = result.data
    both = result.join_data()
    kept = data.low.slice_bits([0])
    return {
        "names": sorted(data),
        "low": data.low.get_counts().get("00", 0) / SHOTS,
        "high": data.high.get_counts().get("1", 0) / SHOTS,
        "both": both.get_counts().get("000", 0) / SHOTS,
        "slice": (kept.num_bits, both.num_bits, data["high"].num_bits),
        "parity": data.low.expectation_values("ZZ"),
        "strings": len(data.low.get_bitstrings()),
    }


def named_parameters(sampler_class: Any) -> dict[str, Any]:
    """Values by parameter, of a vector and of a single one, broadcast against each other."""
    vector, single = ParameterVector("x", 2), Parameter("y")
    circuit = QuantumCircuit(2)
    circuit.ry(vector[0], 0)
    circuit.ry(vector[1] + single, 1)
    circuit.measure_all()
    values = {
        tuple(vector): np.array([[0.0, 0.3], [1.0, 0.6], [2.0, 0.9]]),
        single: np.array([0.1, 0.2, 0.3]),
    }
    (result,) = sampler_class(seed=1).run([(circuit, values)], shots=SHOTS).result()
    return {
        "shape": result.data.shape,
        "ones": result.data.meas.expectation_values(["ZI", "IZ", "ZZ"][0]).tolist(),
    }


def an_instruction_set_circuit(estimator_class: Any) -> dict[str, Any]:
    """Translated for a backend by a pass manager, the observables laid out as the circuit was."""
    backend = GenericBackendV2(num_qubits=5, seed=1)
    ansatz = efficient_su2(3, reps=1)
    isa = generate_preset_pass_manager(optimization_level=1, backend=backend, seed_transpiler=1).run(ansatz)
    hamiltonian = SparsePauliOp.from_list([("ZZI", 0.5), ("IXX", -0.3), ("YIY", 0.2)])
    laid_out = hamiltonian.apply_layout(isa.layout)
    values = np.random.default_rng(0).normal(size=(2, ansatz.num_parameters))
    (result,) = estimator_class().run([(isa, laid_out, values)]).result()
    return {"evs": result.data.evs, "shape": result.data.shape}


def broadcasting(estimator_class: Any) -> dict[str, Any]:
    """A column of observables against a row of parameter sets, one against many, and each with its own."""
    circuit = real_amplitudes(2, reps=1)
    sets = np.random.default_rng(1).uniform(0, np.pi, (1, 6, circuit.num_parameters))
    column = [[SparsePauliOp(["XX", "IY"], [0.5, 0.5])], [Pauli("XX")], ["IZ"]]
    each = [{"ZZ": 1.0}, {"XI": 0.5, "IX": 0.5}, "YY", "ZI", "IZ", "XX"]
    estimator = estimator_class()
    results = estimator.run(
        [
            (circuit, column, sets),
            (circuit, "ZZ", sets[0]),
            (circuit, each, sets[0]),
            (circuit, column, sets[0, 0]),
        ]
    ).result()
    return {f"evs {number}": result.data.evs for number, result in enumerate(results)} | {
        f"stds {number}": result.data.stds for number, result in enumerate(results)
    }


def a_variational_loop(estimator_class: Any) -> dict[str, Any]:
    """SciPy minimises an energy that is asked for one parameter set at a time."""
    from scipy.optimize import minimize

    ansatz = real_amplitudes(2, reps=1)
    hamiltonian = SparsePauliOp(["ZZ", "XI", "IX"], [-1.0, -0.5, -0.5])
    estimator = estimator_class()

    def energy(angles: Any) -> float:
        pub = (ansatz, [hamiltonian], [angles])
        return float(estimator.run(pubs=[pub]).result()[0].data.evs[0])

    found = minimize(energy, 0.1 * np.ones(ansatz.num_parameters), method="COBYLA", options={"maxiter": 15})
    return {"energy": found.fun}


EXACT: dict[str, Callable[[Any], dict[str, Any]]] = {
    one.__name__: one for one in (an_instruction_set_circuit, broadcasting, a_variational_loop)
}
SAMPLED: dict[str, Callable[[Any], dict[str, Any]]] = {
    one.__name__: one for one in (several_pubs, several_registers, named_parameters)
}


def alike(found: dict[str, Any], wanted: dict[str, Any], tolerance: float) -> bool:
    assert found.keys() == wanted.keys()
    return all(
        found[key] == wanted[key]
        if isinstance(wanted[key], tuple | int | str) or (isinstance(wanted[key], list) and "name" in key)
        else np.shape(found[key]) == np.shape(wanted[key])
        and np.allclose(found[key], wanted[key], atol=tolerance)
        for key in wanted
    )


@pytest.mark.parametrize("program", EXACT)
def test_programs_for_estimators_give_the_same_values(program: str) -> None:
    """Shapes and exact values are those of Qiskit's StatevectorEstimator."""
    run = EXACT[program]
    assert alike(run(Estimator), run(StatevectorEstimator), 1e-6)


@pytest.mark.parametrize("program", SAMPLED)
def test_programs_for_samplers_give_the_same_distributions(program: str) -> None:
    """Shapes, shots and names are those of Qiskit's StatevectorSampler, and frequencies within five standard errors."""
    run = SAMPLED[program]
    assert alike(run(Sampler), run(StatevectorSampler), 2 * TOLERANCE)


def test_a_teleported_state_arrives() -> None:
    """Mid-circuit measurement and conditionals on its bits, as Aer's SamplerV2 runs them."""

    def program(sampler_class: Any) -> tuple[float, int]:
        qubits, sent, arrived = (
            QuantumRegister(3),
            ClassicalRegister(2, "sent"),
            ClassicalRegister(1, "arrived"),
        )
        circuit = QuantumCircuit(qubits, sent, arrived)
        circuit.ry(1.1, 0)
        circuit.h(1)
        circuit.cx(1, 2)
        circuit.cx(0, 1)
        circuit.h(0)
        circuit.measure([0, 1], sent)
        with circuit.if_test((sent[1], 1)):
            circuit.x(2)
        with circuit.if_test((sent[0], 1)):
            circuit.z(2)
        circuit.reset(0)
        circuit.measure(2, arrived)
        (result,) = sampler_class(seed=5).run([circuit], shots=SHOTS).result()
        return result.data.arrived.get_counts().get("1", 0) / SHOTS, len(result.data.sent.get_counts())

    ours, theirs = program(Sampler), program(aer.SamplerV2)
    assert ours[0] == pytest.approx(np.sin(0.55) ** 2, abs=TOLERANCE)
    assert ours[0] == pytest.approx(theirs[0], abs=2 * TOLERANCE)
    assert ours[1] == theirs[1] == 4


def test_noise_of_a_backend_is_that_of_aer() -> None:
    """A noise model made of a backend's properties: values and frequencies as Aer's own primitives give them."""
    from qiskit_aer.noise import NoiseModel, depolarizing_error

    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.2, 2), ["cx"])
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    options = {"backend_options": {"noise_model": model, "method": "density_matrix"}}
    pub = (bell, ["ZZ", "XX", "ZI"])
    ours = Estimator(noise_model=model).run([pub]).result()[0].data.evs
    theirs = aer.EstimatorV2(options=options).run([pub], precision=0.0).result()[0].data.evs
    assert ours == pytest.approx(theirs, abs=1e-6)
    bell.measure_all()
    (counts,) = Sampler(noise_model=model, seed=2).run([bell], shots=SHOTS).result()
    assert counts.data.meas.expectation_values("ZZ") == pytest.approx(ours[0], abs=4 * TOLERANCE)


def test_options_of_aer_are_taken_or_refused_by_name() -> None:
    """Noise, seed and precision mean the same; a method that would be overruled is told, and so is a typing error."""
    from qiskit_aer.noise import NoiseModel, depolarizing_error

    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.2, 2), ["cx"])
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    options = {"backend_options": {"noise_model": model}, "run_options": {"seed_simulator": 3}}
    pub = (bell, ["ZZ", "XX", "ZI"])
    ours = Estimator(options=options).run([pub]).result()[0].data.evs
    assert ours == pytest.approx(Estimator(noise_model=model).run([pub]).result()[0].data.evs, abs=1e-9)
    assert ours[0] < 0.95
    rough = {**options, "default_precision": 0.1}
    assert Estimator(options=rough).run([pub]).result()[0].metadata["target_precision"] == 0.1
    assert Estimator(options=rough, default_precision=0.0).default_precision == 0.0
    assert Sampler(options=options).seed == 3
    assert Sampler(options={"backend_options": {"method": "automatic"}}).noise_model is None
    with pytest.raises(ArgumentError, match="'statevector': hetero chooses how circuits are simulated"):
        Sampler(options={"backend_options": {"method": "statevector"}})
    with pytest.raises(ArgumentError, match="max_parallel_threads"):
        Estimator(options={"run_options": {"max_parallel_threads": 1}})
    with pytest.raises(UnknownNameError, match="did you mean 'backend_options'"):
        Sampler(options={"backend_option": {}})
    with pytest.raises(UnknownNameError, match="default_precision"):
        Sampler(options={"default_precision": 0.1})
    with pytest.raises(ArgumentError, match="expected a dictionary"):
        Sampler(options={"backend_options": 3})
