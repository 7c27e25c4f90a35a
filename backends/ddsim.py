"""MQT DDSIM on the CPU: state vectors as decision diagrams, small where the state has structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hetero.backends.packages import version
from hetero.device import (
    HOST,
    Device,
    DeviceInfo,
    DeviceStatus,
    DirectExecutable,
    Offers,
    Refusal,
    Variant,
    refuse,
    wrong_kind,
)
from hetero.errors import DeviceError
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_features import human_bytes
from hetero.ops.circuit_gates import names_of
from hetero.ops.circuit_growth import diagram_form
from hetero.ops.circuit_loops import LOOPS
from hetero.ops.circuit_swaps import without_swaps
from hetero.ops.pauli import PauliTerms, expectations
from hetero.values import Specs

NAME = "cpu/ddsim"

MAX_QUBITS = 128
"""What DDSIM's own Qiskit target declares."""


def probe(cpu: Processor) -> Sequence[DeviceStatus]:
    info = DeviceInfo(
        name=NAME,
        engine="ddsim",
        version=version("mqt.ddsim"),
        processor=cpu.name,
        vendor=cpu.vendor,
        supplier="TU Munich (MQT)",
        kinds=("circuit",),
        # A diagram that grows cannot be interrupted from within its process, and can take all of its memory.
        isolation="process",
        capability="circuits by decision diagrams",
        precisions=("fp64",),
        memory_bytes=cpu.memory_bytes,
    )
    return [DeviceStatus(NAME, True, info)]


def open_device(info: DeviceInfo) -> Device:
    import mqt.ddsim  # noqa: F401  # 0.4 s, which belong here

    return DdsimDevice(info)


class DdsimDevice:
    """One variant: double precision, one thread. Time follows the diagram's size, which cannot be foretold."""

    memory = HOST

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info

    def variants(self, op: Op, specs: Specs) -> Offers:
        if not isinstance(op, CircuitOp) or op.kind not in self.info.kinds:
            return Offers(refusals=(wrong_kind(self.info, op, "circuits"),))
        variant = Variant("fp64")
        reason = _objection(op, self.info.memory_bytes)
        if reason is not None:
            return Offers(refusals=(Refusal(f"{self.info.name}: {reason}", variant),))
        return Offers((variant,))

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        from qiskit.exceptions import QiskitError

        if not isinstance(op, CircuitOp) or op.kind not in self.info.kinds:
            raise DeviceError(f"{self.info.name} runs circuits, not {op.kind} {op.name!r}")
        if op.features.dynamic:
            source, where = _padded(op.circuit), tuple(range(op.features.qubits))
        else:
            source, where = without_swaps(op.unitary)
        try:
            circuit = diagram_form(source)
        except QiskitError as error:
            raise refuse(self.info.name, op, error) from error
        used = [list(op.circuit.parameters).index(p) for p in circuit.parameters]
        fresh = np.random.default_rng()

        def bound(rows: np.ndarray[Any, Any]) -> list[Any]:
            return [circuit.assign_parameters(row[used]) for row in rows]

        if op.shots is None:
            terms = PauliTerms.of([_moved(observable, where) for observable in op.observables])

            def run(*inputs: Any) -> Outputs:
                rows, shape = op.rows(inputs)
                values = [expectations(_state(self.info.name, one)[None], terms)[0] for one in bound(rows)]
                return (op.pack_expectations(values, shape),)

        else:
            shots = op.shots
            measured = op.final_measurements
            final = None if measured is None else {clbit: where[qubit] for clbit, qubit in measured.items()}

            def run(*inputs: Any) -> Outputs:
                rows, shape = op.rows(inputs)
                draws = (fresh if op.seed is None else np.random.default_rng(op.seed)).integers(
                    2**31, size=len(rows)
                )
                each = zip(bound(rows), draws, strict=True)
                counts = [_counts(self.info.name, final, one, shots, int(seed)) for one, seed in each]
                return (op.pack_counts(counts, shape),)

        return DirectExecutable(run)


def _objection(op: CircuitOp, memory_bytes: int | None) -> str | None:
    features = op.features
    if max(features.qubits, features.clbits if features.dynamic else 0) > MAX_QUBITS:
        return f"at most {MAX_QUBITS} qubits or classical bits that are measured midway"
    if features.loops:
        found = sorted(set(names_of(op.circuit)).intersection(LOOPS))
        return f"it knows no {', '.join(found)}"
    branches = [i.operation for i in op.circuit.data if i.name == "if_else"]
    if any(not isinstance(branch.condition, tuple) for branch in branches):
        return "it knows conditions (bit or register, value), not expressions"
    matrices = [i for i in op.circuit.data if i.name == "unitary" and len(i.qubits) > 2]
    if matrices:
        width = len(matrices[0].qubits)
        return f"a unitary matrix on {width} qubits is known to crash it; decompose it into gates"
    # An expectation value is read from the whole vector: the vector, a copy, and the products.
    need = 0 if op.shots is not None else 3 * features.statevector_nbytes
    if memory_bytes is not None and need > memory_bytes:
        return (
            f"expectation values are read from the state vector, which needs {human_bytes(need)} of memory "
            f"with its copies; the processor has {human_bytes(memory_bytes)}"
        )
    return None


def _padded(circuit: Any) -> Any:
    """With idle qubits, which cost a diagram nothing, until there are as many as classical bits.

    DDSIM fails where a classical bit has a higher number than all qubits. (A circuit that measures at its end only is
    run without its measurements instead, and the qubits are mapped to classical bits here.)
    """
    from qiskit import QuantumCircuit

    padded = QuantumCircuit(max(circuit.num_qubits, circuit.num_clbits), circuit.num_clbits)
    padded.compose(circuit, range(circuit.num_qubits), range(circuit.num_clbits), inplace=True)
    return padded


def _simulator(device: str, circuit: Any, seed: int, shots: int) -> tuple[Any, dict[str, int]]:
    from mqt.core import load
    from mqt.ddsim import CircuitSimulator

    try:
        simulator = CircuitSimulator(load(circuit), seed=seed)
        return simulator, simulator.simulate(shots)
    except (RuntimeError, ValueError, IndexError) as error:  # what C++ exceptions become
        raise DeviceError(f"{device} failed on circuit {circuit.name!r}: {error}") from error


def _state(device: str, circuit: Any) -> np.ndarray[Any, Any]:
    simulator, _ = _simulator(device, circuit, 0, 0)
    return np.asarray(simulator.get_constructed_dd().get_vector())


def _counts(
    device: str, final: Mapping[int, int] | None, circuit: Any, shots: int, seed: int
) -> dict[int, int]:
    """Of the classical bits: those of the circuit itself, or ``final``'s (classical bit -> qubit)."""
    _, drawn = _simulator(device, circuit, seed, shots)
    counts: dict[int, int] = {}
    for text, count in drawn.items():
        bits = value = int(text, 2)
        if final is not None:
            bits = sum((value >> qubit & 1) << clbit for clbit, qubit in final.items())
        counts[bits] = counts.get(bits, 0) + count
    return counts


def _moved(observable: Any, where: Sequence[int]) -> Any:
    """The observable of each original qubit on the one that holds its state at the end."""
    return observable.apply_layout(list(where))
