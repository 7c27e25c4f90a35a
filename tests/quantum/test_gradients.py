"""Derivatives of expectation values: exact, by every parameter, and torch's own check of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from hetero.device import Variant
from hetero.errors import ArgumentError, InfeasibleError
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_gradient import CircuitGradientOp
from hetero.quantum import Differentiable
from hetero.quantum.torch_layer import expectations
from hetero.registry import detect_machine, open_here

from .random_circuits import circuits

STEP = 1e-5


def layered(qubits: int = 3) -> QuantumCircuit:
    """One parameter in several gates, in controlled ones, in products and functions."""
    x = ParameterVector("x", qubits)
    circuit = QuantumCircuit(qubits)
    for qubit in range(qubits):
        circuit.ry(x[qubit], qubit)
        circuit.rx(2 * x[qubit] - 0.3, qubit)
    for qubit in range(qubits - 1):
        circuit.rzz(x[qubit] * x[qubit + 1], qubit, qubit + 1)
        circuit.crx(x[qubit], qubit, qubit + 1)
    circuit.u(x[0], x[1].sin(), 0.4, 2)
    circuit.cp(x[2], 0, 2)
    return circuit


def differences(function: Differentiable, rows: np.ndarray) -> np.ndarray:
    """The Jacobian by central differences."""
    steps = np.eye(rows.shape[1]) * STEP
    return np.stack([function.values(rows + s) - function.values(rows - s) for s in steps], axis=-1) / (
        2 * STEP
    )


def test_derivatives_are_those_of_the_values() -> None:
    """By every parameter, for every set and observable, shared and nonlinear angles too."""
    function = Differentiable(layered(), ["ZII", "XYZ"])
    rows = np.random.default_rng(0).normal(size=(4, 3))
    values, jacobian = function.values_and_jacobian(rows)
    assert values == pytest.approx(function.values(rows), abs=1e-12)
    assert jacobian.shape == (4, 2, 3)
    assert jacobian == pytest.approx(differences(function, rows), abs=1e-8)


def test_both_methods_agree() -> None:
    """The adjoint method and parameter shift: same values, Jacobian and weighted gradient."""
    function = Differentiable(layered(), ["ZII", "XYZ", "IZX"])
    rows = np.random.default_rng(0).normal(size=(11, 3))
    weights = np.random.default_rng(1).normal(size=(11, 3))
    values, jacobian = function.values_and_jacobian(rows, method="adjoint")
    expected, shifted = function.values_and_jacobian(rows, method="shift")
    assert values == pytest.approx(expected, abs=1e-12)
    assert jacobian == pytest.approx(shifted, abs=1e-12)
    for method in ("adjoint", "shift"):
        found, slopes = function.gradient(rows, weights, method=method)
        assert found == pytest.approx(expected, abs=1e-12)
        assert slopes == pytest.approx(np.einsum("so,sop->sp", weights, shifted), abs=1e-12)


def test_the_adjoint_op_agrees_with_its_reference() -> None:
    """What the device computes is what slow central differences of exact state vectors say."""
    op = CircuitGradientOp.of(CircuitOp.from_circuit(layered(), observables=["ZII", "YXZ"]))
    rows = np.random.default_rng(2).normal(size=(3, 3))
    weights = np.random.default_rng(3).normal(size=(3, 2))
    device = open_here(detect_machine().device("cpu/statevector"))
    executable = device.compile(op, Variant("fp64", 1))
    for found, expected in zip(
        executable.start([rows, weights]).wait(), op.load()(rows, weights), strict=True
    ):
        assert found == pytest.approx(expected, abs=1e-8)


def test_more_qubits_than_state_vectors_have_are_shifted() -> None:
    """Seventeen qubits: the adjoint method is told to be missing when asked for, and done without otherwise."""
    circuit = QuantumCircuit(17)
    for qubit in range(16):
        circuit.cx(qubit, qubit + 1)
    circuit.rx(ParameterVector("x", 1)[0], 0)
    function = Differentiable(circuit, ["I" * 16 + "Z"])
    assert function.values_and_jacobian([[0.3]])[1] == pytest.approx(-np.sin(0.3))
    with pytest.raises(InfeasibleError, match="has 17; use method='shift'"):
        function.values_and_jacobian([[0.3]], method="adjoint")
    with pytest.raises(ArgumentError, match="expected 'auto', 'adjoint' or 'shift'"):
        function.gradient([[0.3]], [[1.0]], method="backprop")  # type: ignore[arg-type]


def test_counts_have_no_derivative() -> None:
    """Shots are refused by name."""
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    with pytest.raises(ArgumentError, match="counts have no derivative"):
        CircuitGradientOp.of(CircuitOp.from_circuit(circuit, shots=1))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(circuits(most_qubits=3, most_gates=8, parameters=True))
def test_random_circuits_have_the_derivatives_of_differences(circuit: QuantumCircuit) -> None:
    """Every gate that hypothesis may draw obeys the rule once it is translated."""
    if not circuit.num_parameters:
        return
    function = Differentiable(circuit, ["Z" * circuit.num_qubits, "X" * circuit.num_qubits])
    rows = np.random.default_rng(1).normal(size=(2, circuit.num_parameters))
    assert function.values_and_jacobian(rows)[1] == pytest.approx(differences(function, rows), abs=1e-7)


def test_torch_agrees() -> None:
    """torch's gradcheck passes, and the shape follows the angles' leading axes."""
    function = Differentiable(layered(), ["ZII", "IZZ"])
    angles = torch.randn(
        2, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True
    )
    assert expectations(function, angles).shape == (2, 2, 2)
    assert torch.autograd.gradcheck(lambda x: expectations(function, x), (angles,))


def test_a_hybrid_model_learns() -> None:
    """A circuit between two linear layers: a few steps of gradient descent lower the loss."""
    torch.manual_seed(0)
    function = Differentiable(layered(), ["ZII", "IZI", "IIZ"])
    before, after = torch.nn.Linear(2, 3), torch.nn.Linear(3, 1)
    points = torch.rand(16, 2)
    wanted = (points.sum(1, keepdim=True) > 1).float()
    optimizer = torch.optim.Adam([*before.parameters(), *after.parameters()], lr=0.1)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(after(expectations(function, before(points))), wanted)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


def test_wrong_angles_are_an_error() -> None:
    """The wrong number of angles, or one that is not finite, is named."""
    function = Differentiable(layered(), ["ZII"])
    with pytest.raises(ArgumentError, match="expected"):
        function.values([[1.0, 2.0]])
    with pytest.raises(ArgumentError, match="not a finite number"):
        function.values_and_jacobian([[1.0, 2.0, np.nan]])
