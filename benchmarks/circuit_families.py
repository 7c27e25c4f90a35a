"""Circuits for the quantum benchmarks, by family and width, from Qiskit's library alone; angles drawn by a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.library import (
    QFTGate,
    efficient_su2,
    grover_operator,
    iqp,
    n_local,
    quantum_volume,
    real_amplitudes,
)
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import random_clifford

__all__ = ["FAMILIES", "HELD_OUT_SHARE", "held_out", "measured"]

HELD_OUT_SHARE = 5
"""One family in so many is never fitted on."""


def held_out(family: str) -> bool:
    """Whether a family is kept from fitting: decided by its name alone, before anything was measured.

    >>> [family for family in ("ghz", "qft", "wstate", "qaoa") if held_out(family)]
    ['ghz']
    """
    return int(hashlib.sha256(family.encode()).hexdigest(), 16) % HELD_OUT_SHARE == 0


def measured(circuit: QuantumCircuit) -> QuantumCircuit:
    """Every qubit measured at the end."""
    own = circuit.copy()
    own.measure_all()
    return own


def with_angles(circuit: QuantumCircuit, seed: int) -> QuantumCircuit:
    angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, circuit.num_parameters)
    return circuit.assign_parameters(angles)


def ghz(n: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n)
    circuit.h(0)
    for qubit in range(n - 1):
        circuit.cx(qubit, qubit + 1)
    return circuit


def wstate(n: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n)
    circuit.x(n - 1)
    for k in range(n - 1, 0, -1):
        angle = np.arccos(np.sqrt(1 / (k + 1)))
        circuit.ry(-angle, k - 1)
        circuit.cz(k, k - 1)
        circuit.ry(angle, k - 1)
    for k in range(n - 1):
        circuit.cx(k, k + 1)
    return circuit


def qft_on_ones(n: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n)
    circuit.x(range(0, n, 2))
    circuit.append(QFTGate(n), range(n))
    return circuit


def qft_on_entangled(n: int) -> QuantumCircuit:
    circuit = ghz(n)
    circuit.append(QFTGate(n), range(n))
    return circuit


def qpe(n: int) -> QuantumCircuit:
    """Phase estimation of a phase gate, its powers as single gates."""
    circuit = QuantumCircuit(n)
    circuit.x(n - 1)
    circuit.h(range(n - 1))
    for k in range(n - 1):
        circuit.cp(2 * np.pi * 0.3141592 * 2**k, k, n - 1)
    circuit.append(QFTGate(n - 1).inverse(), range(n - 1))
    return circuit


def qaoa(n: int) -> QuantumCircuit:
    """Two layers of MaxCut on a random 3-regular graph."""
    import networkx

    graph = networkx.random_regular_graph(3, n + n % 2, seed=n)
    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    for layer in range(2):
        for a, b in graph.edges:
            if max(a, b) < n:
                circuit.rzz(0.4 + layer, a, b)
        circuit.rx(0.7 - 0.1 * layer, range(n))
    return circuit


def ising(n: int) -> QuantumCircuit:
    """Three Trotter steps of the transverse-field Ising chain."""
    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    for _ in range(3):
        for qubit in range(n - 1):
            circuit.rzz(0.3, qubit, qubit + 1)
        circuit.rx(0.5, range(n))
    return circuit


def clifford(n: int) -> QuantumCircuit:
    return random_clifford(n, seed=n).to_circuit()


def clifford_and_t(n: int) -> QuantumCircuit:
    rng = np.random.default_rng(n)
    circuit = QuantumCircuit(n)
    for _ in range(6 * n):
        a, b = rng.choice(n, 2, replace=False)
        match int(rng.integers(4)):
            case 0:
                circuit.h(a)
            case 1:
                circuit.s(a)
            case 2:
                circuit.t(a)
            case _:
                circuit.cx(a, b)
    return circuit


def grover(n: int) -> QuantumCircuit:
    oracle = QuantumCircuit(n)
    oracle.h(n - 1)
    oracle.mcx(list(range(n - 1)), n - 1)
    oracle.h(n - 1)
    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    for _ in range(2):
        circuit.compose(grover_operator(oracle), inplace=True)
    return transpile(circuit, basis_gates=["h", "x", "cx", "p", "cp", "u"], optimization_level=0)


def hidden_string(n: int) -> QuantumCircuit:
    """Bernstein and Vazirani's problem with an alternating string."""
    circuit = QuantumCircuit(n)
    circuit.h(range(n - 1))
    circuit.x(n - 1)
    circuit.h(n - 1)
    for qubit in range(0, n - 1, 2):
        circuit.cx(qubit, n - 1)
    circuit.h(range(n - 1))
    return circuit


def iqp_random(n: int) -> QuantumCircuit:
    weights = np.random.default_rng(n).integers(0, 8, (n, n))
    return iqp(np.triu(weights) + np.triu(weights, 1).T)


FAMILIES: dict[str, Callable[[int], QuantumCircuit]] = {
    "ghz": ghz,
    "wstate": wstate,
    "qft": qft_on_ones,
    "qft-entangled": qft_on_entangled,
    "qpe": qpe,
    "qaoa": qaoa,
    "ising": ising,
    "vqe-linear": lambda n: with_angles(real_amplitudes(n, reps=3, entanglement="linear"), n),
    "vqe-full": lambda n: with_angles(real_amplitudes(n, reps=2, entanglement="full"), n),
    "su2": lambda n: with_angles(efficient_su2(n, reps=3), n),
    "two-local": lambda n: with_angles(n_local(n, ["ry", "rz"], "cz", entanglement="circular", reps=4), n),
    "random": lambda n: random_circuit(n, n, max_operands=2, seed=n),
    "clifford": clifford,
    "clifford-t": clifford_and_t,
    "grover": grover,
    "hidden-string": hidden_string,
    "iqp": iqp_random,
    "volume": lambda n: quantum_volume(n, min(n, 8), seed=n),
}
