"""Train a circuit between two linear models, serve all as one pipeline: python examples/variational_circuit.py

The labels are those of two interleaved half moons. Training asks for expectation values and their derivatives (by the
adjoint method, all points at once); the trained parts become nodes, and the planner says what runs each.
"""

from __future__ import annotations

import numpy as np
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

import hetero as ht
from hetero.quantum import Differentiable
from hetero.quantum.torch_layer import expectations

QUBITS, STEPS = 4, 40
OBSERVABLES = ["IIIZ", "IIZI", "IZII", "ZIII"]


def ansatz() -> QuantumCircuit:
    """Two layers: the data turn the qubits, trained angles turn them again, neighbours entangle."""
    data, trained = ParameterVector("data", QUBITS), ParameterVector("trained", 2 * QUBITS)
    circuit = QuantumCircuit(QUBITS)
    for layer in range(2):
        for qubit in range(QUBITS):
            circuit.ry(data[qubit], qubit)
            circuit.rz(trained[layer * QUBITS + qubit], qubit)
        for qubit in range(QUBITS):
            circuit.cx(qubit, (qubit + 1) % QUBITS)
    return circuit


def moons(points: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points of two half moons, and which one each is of (0 or 1)."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, points)
    turn = rng.uniform(0, np.pi, points)
    x = np.where(label == 0, np.cos(turn), 1 - np.cos(turn)) + rng.normal(0, 0.1, points)
    y = np.where(label == 0, np.sin(turn), 0.5 - np.sin(turn)) + rng.normal(0, 0.1, points)
    return torch.tensor(np.stack([x, y], 1), dtype=torch.float32), torch.tensor(label, dtype=torch.float32)


def main() -> None:
    torch.manual_seed(0)
    circuit = Differentiable(ansatz(), OBSERVABLES)
    before, after = torch.nn.Linear(2, QUBITS), torch.nn.Linear(QUBITS, 1)
    angles = torch.nn.Parameter(0.1 * torch.randn(2 * QUBITS))
    points, labels = moons(200)

    def score(x: torch.Tensor) -> torch.Tensor:
        sets = torch.cat(
            [before(x), angles.expand(len(x), -1)], dim=1
        )  # data first, as circuit.parameters has them
        return after(expectations(circuit, sets))[:, 0]

    optimizer = torch.optim.Adam([*before.parameters(), *after.parameters(), angles], lr=0.1)
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(score(points), labels)
        loss.backward()
        optimizer.step()
        if step % 10 == 9:
            print(f"step {step + 1}: loss {loss.item():.3f}")

    encode = ht.from_torch(before, (points[:1],), name="encode")
    evaluate = ht.from_qiskit(ansatz(), observables=OBSERVABLES, name="evaluate")
    decide = ht.from_torch(after, (torch.zeros(1, QUBITS),), name="decide")
    trained = angles.detach().numpy()

    @ht.node
    def sets(encoded: np.ndarray) -> np.ndarray:
        return np.concatenate([encoded, np.broadcast_to(trained, (len(encoded), len(trained)))], axis=1)

    @ht.node
    def narrowed(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32)

    @ht.pipeline
    def classify(x):
        return decide(narrowed(evaluate(sets(encode(x)))))

    with ht.plan(classify, points.numpy(), limits=ht.Limits(error=1e-3)) as plan:
        print(plan.explain())
        right = (plan(points.numpy())[:, 0] > 0) == labels.numpy().astype(bool)
        print(f"{right.sum()} of {len(points)} points are told right")


if __name__ == "__main__":
    main()
