"""Many parameter sets of one circuit: hetero's Estimator against Aer's EstimatorV2 and the other batched engines.

    python benchmarks/quantum_batches.py [--sets 256] [--peers-python PYTHON] [--csv FILE]

Z of each qubit, three layers, a sweep of sets. All contestants run in alternating rounds, warm, with what their own
calls cost: coercing pubs and binding parameters count. qulacs, lightning.qubit and default.qubit need packages that
disagree with hetero's: they live in an environment of their own, named by --peers-python
(python -m venv peers; peers/bin/pip install qulacs pennylane-lightning).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import csv_rows
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


class Peers:
    """The engines of quantum_peers.py in a process of another environment; nobody where there is none."""

    def __init__(self, python: str | None) -> None:
        self._process: subprocess.Popen[str] | None = None
        if python:
            self._process = subprocess.Popen(
                [python, "-W", "ignore", str(Path(__file__).with_name("quantum_peers.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

    def prepare(self, qubits: int, sets: np.ndarray, right: np.ndarray) -> dict[str, Callable[[], float]]:
        """Each engine by name, as a function that runs it once and tells the seconds; all give the right values."""
        if self._process is None:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/sets.npy", sets)
            order = {"prepare": qubits, "sets": f"{folder}/sets.npy", "answers": f"{folder}/found"}
            answer = self._ask(order)
            for name, reason in answer["missing"].items():
                print(f"{name} takes no part: {reason}")
            for name in answer["ready"]:
                check(name, np.load(f"{folder}/found-{name}.npy"), right)
        return {name: partial(self._ask, {"run": name}) for name in answer["ready"]}

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _ask(self, order: dict[str, Any]) -> Any:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


CONTESTANTS: dict[str, Callable[[QuantumCircuit, list[str], np.ndarray], Run]] = {
    "hetero Estimator": hetero,
    "hetero node": hetero_engine,
    "aer EstimatorV2": aer,
}


def check(name: str, found: np.ndarray, right: np.ndarray) -> None:
    difference = float(np.abs(found - right).max())
    if difference > 1e-6:
        raise SystemExit(f"{name} gives other values: {difference:.1e} off")


def timed(run: Run) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def measure(qubits: int, count: int, peers: Peers) -> dict[str, float]:
    """Microseconds a set, median of the rounds; all contestants give the same values."""
    circuit, labels = circuit_of(qubits), observables_of(qubits)
    sets = np.random.default_rng(0).uniform(0, 2 * np.pi, (count, circuit.num_parameters))
    runs = {name: make(circuit, labels, sets) for name, make in CONTESTANTS.items()}
    right = runs["aer EstimatorV2"]()
    for name, run in runs.items():
        check(name, run(), right)
    clocks = {name: partial(timed, run) for name, run in runs.items()} | peers.prepare(qubits, sets, right)
    seconds: dict[str, list[float]] = {name: [] for name in clocks}
    for _ in range(ROUNDS):
        for name, clock in clocks.items():
            clock()  # the caches are this contestant's again
            seconds[name].append(clock())
    return {name: statistics.median(times) / count * 1e6 for name, times in seconds.items()}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--qubits", type=int, nargs="+", default=[2, 4, 8, 12])
    parser.add_argument("--sets", type=int, default=256)
    parser.add_argument(
        "--peers-python", help="interpreter of an environment with qulacs and pennylane-lightning"
    )
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    peers = Peers(options.peers_python)
    try:
        table = {qubits: measure(qubits, options.sets, peers) for qubits in options.qubits}
    finally:
        peers.close()
    csv_rows.write(options.csv, rows_of(table, options.sets))
    return 0 if report(table, options.sets) else 1


def report(table: dict[int, dict[str, float]], sets: int) -> bool:
    """Print the table; whether hetero is as fast as it promises, and the fastest of all."""
    names = list(dict.fromkeys(name for found in table.values() for name in found))
    width = max(map(len, names))
    print(f"microseconds a set, {sets} sets, Z of each qubit; times as slow as hetero's Estimator")
    print(" " * width + "".join(f"{qubits:>9} qubits" for qubits in table))
    for name in names:
        cells = [(found.get(name, np.nan), found["hetero Estimator"]) for found in table.values()]
        print(f"{name:<{width}}" + "".join(f"{us:9.1f} {us / own:5.1f}x" for us, own in cells))
    fastest = all(us >= found["hetero Estimator"] for found in table.values() for us in peers_of(found))
    if 8 not in table:
        return fastest
    gain = table[8]["aer EstimatorV2"] / table[8]["hetero Estimator"]
    print(f"8 qubits: {gain:.0f} times Aer's EstimatorV2, promised {LEAST_GAIN:.0f}")
    return fastest and gain >= LEAST_GAIN


def peers_of(found: dict[str, float]) -> list[float]:
    return [us for name, us in found.items() if not name.startswith("hetero")]


def rows_of(table: dict[int, dict[str, float]], sets: int) -> list[dict[str, Any]]:
    return [
        {"qubits": qubits, "sets": sets, "contestant": name, "us_a_set": f"{us:.2f}"}
        for qubits, found in table.items()
        for name, us in found.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
