"""Many parameter sets of one circuit: hetero's Estimator against Aer's EstimatorV2 and the other batched engines.

    python benchmarks/quantum_batches.py [--sets 256] [--csv FILE]

Z of each qubit, three layers, a sweep of sets. All contestants run in this process in alternating rounds, warm, with
what their own calls cost: coercing pubs and binding parameters count. qulacs takes part where it is installed.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import real_amplitudes

ROUNDS = 5
LEAST_GAIN = 50.0
"""hetero's promise at 8 qubits: a set takes so many times less than by Aer's EstimatorV2."""

Run = Callable[[], np.ndarray]


def circuit_of(qubits: int) -> QuantumCircuit:
    return real_amplitudes(qubits, reps=3, entanglement="linear")


def observables_of(qubits: int) -> list[str]:
    return ["I" * (qubits - 1 - q) + "Z" + "I" * q for q in range(qubits)]


def hetero(circuit: QuantumCircuit, labels: list[str], sets: np.ndarray) -> Run:
    from hetero.quantum import Estimator

    estimator, pub = Estimator(), (circuit, [[label] for label in labels], sets)
    return lambda: np.asarray(estimator.run([pub]).result()[0].data.evs).T


def hetero_engine(circuit: QuantumCircuit, labels: list[str], sets: np.ndarray) -> Run:
    """The compiled node, as a plan runs it."""
    from hetero.ops.circuit import CircuitOp
    from hetero.registry import detect_machine, open_device
    from hetero.values import specs_of

    op = CircuitOp.from_circuit(circuit, observables=labels)
    device = open_device(detect_machine().device("cpu/statevector"))
    variant = max(device.variants(op, specs_of([sets])).variants, key=lambda v: v.threads)
    executable = device.compile(op, variant)
    return lambda: np.asarray(executable.start([sets]).wait()[0])


def aer(circuit: QuantumCircuit, labels: list[str], sets: np.ndarray) -> Run:
    from qiskit_aer.primitives import EstimatorV2

    estimator, pub = EstimatorV2(), (circuit, [[label] for label in labels], sets)
    return lambda: np.asarray(estimator.run([pub], precision=0.0).result()[0].data.evs).T


def qulacs(circuit: QuantumCircuit, labels: list[str], sets: np.ndarray) -> Run:
    import qulacs as q
    from qulacs.gate import CNOT, RY

    n = circuit.num_qubits
    place = {p: i for i, p in enumerate(circuit.parameters)}
    steps: list[tuple[int, ...]] = []
    for instruction in circuit.data:
        qubits = [circuit.find_bit(bit).index for bit in instruction.qubits]
        if instruction.operation.name == "ry":
            (parameter,) = instruction.operation.params[0].parameters
            steps.append((qubits[0], place[parameter]))
        elif instruction.operation.name == "cx":
            steps.append((qubits[0], qubits[1], -1))
    observed = []
    for index in range(n):
        one = q.Observable(n)
        one.add_operator(1.0, f"Z {index}")
        observed.append(one)

    def run() -> np.ndarray:
        table = np.empty((len(sets), n))
        state = q.QuantumState(n)
        for row, angles in enumerate(sets):
            built = q.QuantumCircuit(n)
            for step in steps:
                # qulacs turns the other way round: RY(theta) = exp(+i theta Y / 2).
                built.add_gate(CNOT(step[0], step[1]) if len(step) == 3 else RY(step[0], -angles[step[1]]))
            state.set_zero_state()
            built.update_quantum_state(state)
            table[row] = [one.get_expectation_value(state) for one in observed]
        return table

    return run


CONTESTANTS: dict[str, Callable[[QuantumCircuit, list[str], np.ndarray], Run]] = {
    "hetero Estimator": hetero,
    "hetero node": hetero_engine,
    "aer EstimatorV2": aer,
    "qulacs": qulacs,
}


def measure(qubits: int, count: int) -> dict[str, float]:
    """Microseconds a set, median of the rounds; all contestants give the same values."""
    circuit, labels = circuit_of(qubits), observables_of(qubits)
    sets = np.random.default_rng(0).uniform(0, 2 * np.pi, (count, circuit.num_parameters))
    runs: dict[str, Run] = {}
    for name, make in CONTESTANTS.items():
        try:
            runs[name] = make(circuit, labels, sets)
        except ImportError as error:
            print(f"{name} takes no part: {error}")
    answers: dict[str, Any] = {name: run() for name, run in runs.items()}
    right = answers["aer EstimatorV2"]
    for name, found in answers.items():
        assert np.abs(found - right).max() < 1e-6, f"{name} gives other values"
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
            time.sleep(0.05)
    return {name: statistics.median(times) / count * 1e6 for name, times in seconds.items()}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--qubits", type=int, nargs="+", default=[4, 8, 12])
    parser.add_argument("--sets", type=int, default=256)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    table = {qubits: measure(qubits, options.sets) for qubits in options.qubits}
    for qubits, found in table.items():
        told = ", ".join(f"{name} {us:.1f}" for name, us in found.items())
        gain = found["aer EstimatorV2"] / found["hetero Estimator"]
        print(f"{qubits:2} qubits, {options.sets} sets, us a set: {told}; {gain:.0f}x over Aer's EstimatorV2")
    if options.csv:
        options.csv.parent.mkdir(parents=True, exist_ok=True)
        with options.csv.open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(("qubits", "sets", "contestant", "us_a_set"))
            out.writerows(
                (q, options.sets, name, f"{us:.2f}") for q, one in table.items() for name, us in one.items()
            )
    if 8 not in table:
        return 0
    return 0 if table[8]["aer EstimatorV2"] >= LEAST_GAIN * table[8]["hetero Estimator"] else 1


if __name__ == "__main__":
    sys.exit(main())
