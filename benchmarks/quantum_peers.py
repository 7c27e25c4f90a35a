"""The other batched engines of quantum_batches.py, in an environment of their own: each line in is an order, each line
out its answer. Needs numpy, and whichever of qulacs and pennylane with pennylane-lightning is to take part.

Every engine is used as its own documentation does it, and where there are two ways, the faster one takes part.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np

LAYERS = 3
Run = Callable[[], np.ndarray]


def qulacs(qubits: int, sets: np.ndarray) -> Run:
    """A parametric circuit whose angles are set anew; building it for each set takes longer."""
    from qulacs import Observable, ParametricQuantumCircuit, QuantumState
    from qulacs.gate import CNOT

    circuit = ParametricQuantumCircuit(qubits)
    for layer in range(LAYERS + 1):
        for qubit in range(qubits):
            circuit.add_parametric_RY_gate(qubit, 0.0)
        for qubit in range(qubits - 1 if layer < LAYERS else 0):
            circuit.add_gate(CNOT(qubit, qubit + 1))
    observed = []
    for qubit in range(qubits):
        one = Observable(qubits)
        one.add_operator(1.0, f"Z {qubit}")
        observed.append(one)
    state = QuantumState(qubits)

    def run() -> np.ndarray:
        table = np.empty((len(sets), qubits))
        for row, angles in enumerate((-sets).tolist()):  # RY(theta) of qulacs is exp(+i theta Y / 2)
            for index, angle in enumerate(angles):
                circuit.set_parameter(index, angle)
            state.set_zero_state()
            circuit.update_quantum_state(state)
            table[row] = [one.get_expectation_value(state) for one in observed]
        return table

    return run


def pennylane(device: str, broadcast: bool) -> Callable[[int, np.ndarray], Run]:
    def make(qubits: int, sets: np.ndarray) -> Run:
        import pennylane as qml

        simulator = qml.device(device, wires=qubits)

        def layers(angles: np.ndarray) -> list[object]:
            for layer in range(LAYERS + 1):
                for qubit in range(qubits):
                    qml.RY(angles[layer * qubits + qubit], wires=qubit)
                for qubit in range(qubits - 1 if layer < LAYERS else 0):
                    qml.CNOT(wires=[qubit, qubit + 1])
            return [qml.expval(qml.PauliZ(qubit)) for qubit in range(qubits)]

        if broadcast:
            node = qml.QNode(layers, simulator, diff_method=None)
            columns = np.ascontiguousarray(sets.T)
            return lambda: np.stack(node(columns), axis=1)

        def run() -> np.ndarray:
            tapes = []
            for angles in sets:
                with qml.queuing.AnnotatedQueue() as queue:
                    layers(angles)
                tapes.append(qml.tape.QuantumScript.from_queue(queue))
            return np.array(qml.execute(tapes, simulator, diff_method=None))

        return run

    return make


ENGINES: dict[str, Callable[[int, np.ndarray], Run]] = {
    "qulacs": qulacs,
    "lightning.qubit": pennylane("lightning.qubit", broadcast=True),
    "lightning.qubit tapes": pennylane("lightning.qubit", broadcast=False),
    "default.qubit broadcast": pennylane("default.qubit", broadcast=True),
}


def main() -> None:
    runs: dict[str, Run] = {}
    for line in sys.stdin:
        order = json.loads(line)
        if "prepare" in order:
            runs.clear()
            sets, missing = np.load(order["sets"]), {}
            for name, make in ENGINES.items():
                try:
                    runs[name] = make(order["prepare"], sets)
                    np.save(f"{order['answers']}-{name}.npy", runs[name]())
                except ImportError as error:
                    missing[name] = str(error)
            answer: object = {"ready": list(runs), "missing": missing}
        else:
            started = time.perf_counter()
            runs[order["run"]]()
            answer = time.perf_counter() - started
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
