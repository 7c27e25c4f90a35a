"""Planning is not taken down by a simulation that grows: it is measured apart, ended, and another one is taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit

import hetero as ht
from hetero.cost import memory_guard
from hetero.cost.store import ProfileStore
from hetero.device import DeviceInfo, Variant
from hetero.errors import DeviceError
from hetero.ops.circuit import CircuitOp
from hetero.planning import guarded, measure
from hetero.planning.guarded import GuardedDevice, device_for, is_risky
from hetero.registry import available, open_device

PRODUCT = Variant("fp64", settings={"method": "matrix_product_state"})
VECTOR = Variant("fp64", settings={"method": "statevector"})


def aer() -> DeviceInfo:
    (info,) = (s.info for s in available() if s.info is not None and s.info.engine == "aer")
    return replace(info, memory_bytes=8 << 30)


def tangled(qubits: int) -> QuantumCircuit:
    """Of which a bound on the bonds says next to nothing: turns by little, between any two."""
    circuit = QuantumCircuit(qubits)
    rng = np.random.default_rng(0)
    for _ in range(20 * qubits):
        first, second = rng.permutation(qubits)[:2]
        circuit.rzz(0.001, int(first), int(second))
    circuit.measure_all()
    return circuit


def test_only_what_may_grow_is_measured_apart() -> None:
    """A matrix product state of many qubits is; of few it cannot grow, and a state vector is as large as it is."""
    wide, narrow = (CircuitOp.from_circuit(tangled(n), shots=10) for n in (40, 10))
    assert is_risky(aer(), wide, PRODUCT, ())
    assert not is_risky(aer(), wide, VECTOR, ())
    assert not is_risky(aer(), narrow, PRODUCT, ())
    assert not is_risky(replace(aer(), memory_bytes=None), wide, PRODUCT, ())
    assert isinstance(device_for(aer(), wide, PRODUCT, ()), GuardedDevice)
    assert device_for(aer(), narrow, PRODUCT, ()) is open_device(aer())


def test_a_run_that_grows_is_ended_and_the_next_one_finds_a_new_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The plan takes something else, says why, and keeps that for the next planning."""
    circuit = QuantumCircuit(2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    monkeypatch.setattr(
        guarded, "is_risky", lambda info, op, variant, specs: "matrix_product_state" in str(variant)
    )
    monkeypatch.setattr(guarded, "SHARE", 1e-12)
    monkeypatch.setattr(memory_guard, "EVERY_S", 1e-4)  # this run is over in milliseconds
    toss = ht.from_qiskit(circuit, shots=100)
    with ProfileStore(tmp_path / "profiles.sqlite") as store:
        for _ in range(2):
            with ht.plan(toss, allow="aer", store=store) as plan:
                reasons = {str(option.choice): option.reason for option in plan.options["bell"]}
                assert "was killed" in reasons[f"cpu/aer {PRODUCT}"]
                assert plan.placement["bell"][1].settings["method"] != "matrix_product_state"
                assert sum(plan().values()) == 100
            monkeypatch.setattr(measure, "device_for", None)  # nothing is tried again
    op = CircuitOp.from_circuit(circuit, shots=100)
    apart = guarded._apart(next(s.info for s in available() if s.info and s.info.engine == "aer"))

    def often() -> None:  # one by itself may be over before anybody has looked
        for _ in range(100):
            GuardedDevice(apart, apart.info, 1).compile(op, PRODUCT).start(()).wait()

    with pytest.raises(DeviceError, match="grew past 1 bytes"):
        often()
    (counts,) = GuardedDevice(apart, apart.info, 8 << 30).compile(op, PRODUCT).start(()).wait()
    assert sum(counts.values()) == 100
