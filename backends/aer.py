"""Qiskit Aer on the CPU: state vectors in two precisions, matrix product states, stabilizer tableaus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hetero.backends.aer_gates import translated
from hetero.backends.packages import missing, version
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
    thread_counts,
    wrong_kind,
)
from hetero.errors import DeviceError
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_features import human_bytes
from hetero.ops.circuit_noise import NoisyCircuitOp
from hetero.values import Specs

NAME = "cpu/aer"

PARALLEL_QUBITS = 14
"""Aer's default: narrower state vectors are updated by one thread (``statevector_parallel_threshold``)."""

WIDE_CLIFFORD = 20
"""Clifford circuits beyond are left to the stabilizer method: trying a state vector would cost seconds to minutes."""


def probe(cpu: Processor) -> Sequence[DeviceStatus]:
    if status := missing(NAME, "qiskit_aer", "quantum"):
        return [status]
    info = DeviceInfo(
        name=NAME,
        engine="aer",
        version=version("qiskit-aer", "qiskit-aer-gpu"),
        processor=cpu.name,
        vendor=cpu.vendor,
        supplier="IBM",
        kinds=("circuit", "noisy circuit"),
        capability="circuits by state vector, matrix product state, stabilizer; noisy ones by density matrix",
        max_threads=cpu.cores,
        precisions=("fp64", "fp32"),
        memory_bytes=cpu.memory_bytes,
    )
    return [DeviceStatus(NAME, True, info)]


def open_device(info: DeviceInfo) -> Device:
    import qiskit_aer  # noqa: F401  # loading the engine belongs here, not into the first compile

    return AerDevice(info)


class AerDevice:
    """One transpiled circuit a variant; a batch of parameter sets is one job of the simulator."""

    memory = HOST

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info

    def variants(self, op: Op, specs: Specs) -> Offers:
        if not isinstance(op, CircuitOp) or op.kind not in self.info.kinds:
            return Offers(refusals=(wrong_kind(self.info, op, "circuits"),))
        offered: list[Variant] = []
        refused: list[Refusal] = []
        for variant in _candidates(op, self.info.max_threads, _sets(op, specs)):
            reason = _objection(op, variant, self.info.memory_bytes)
            if reason is None:
                offered.append(variant)
            else:
                refused.append(Refusal(f"{self.info.name}: {reason}", variant))
        return Offers(tuple(offered), tuple(refused))

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        from qiskit.exceptions import QiskitError
        from qiskit_aer import AerSimulator

        if not isinstance(op, CircuitOp) or op.kind not in self.info.kinds:
            raise DeviceError(f"{self.info.name} runs circuits, not {op.kind} {op.name!r}")
        simulator = AerSimulator(
            noise_model=op.noise if isinstance(op, NoisyCircuitOp) else None,
            method=str(variant.settings["method"]),
            precision="single" if variant.precision == "fp32" else "double",
            max_parallel_threads=variant.threads,
        )
        source = op.circuit if op.shots is not None else op.unitary
        try:
            circuit = translated(source, str(variant.settings["method"]))
        except QiskitError as error:
            raise refuse(self.info.name, op, error) from error
        _save(circuit, op)
        # A wide state is shared out among the threads; of narrow ones each thread takes its own.
        lanes = 1 if op.features.qubits >= PARALLEL_QUBITS else variant.threads

        def run(*inputs: Any) -> Outputs:
            rows, shape = op.rows(inputs)
            if not len(rows):
                return (_packed(op, [], shape),)
            options = {"max_parallel_experiments": min(lanes, len(rows)), "seed_simulator": op.seed}
            if op.shots is not None:
                options["shots"] = op.shots
            if circuit.num_parameters:
                columns = dict(zip(op.circuit.parameters, rows.T.tolist(), strict=True))
                binds = {parameter: columns[parameter] for parameter in circuit.parameters}
                job = simulator.run(circuit, parameter_binds=[binds], **options)
            else:  # no parameter, or the transpiler found that none matters
                job = simulator.run([circuit] * len(rows), **options)
            result = job.result()
            if not result.success:
                who = f"{self.info.name} failed on circuit {op.name!r} ({variant})"
                raise DeviceError(f"{who}: {result.status}")
            return (_packed(op, [result.data(i) for i in range(len(rows))], shape),)

        return DirectExecutable(run)


def _candidates(op: CircuitOp, max_threads: int, sets: int) -> Iterator[Variant]:
    """Every method in every precision it has, on as many threads as it can use."""
    features = op.features
    if isinstance(op, NoisyCircuitOp):
        yield from _noisy_candidates(op, max_threads)
        return
    # Threads divide parameter sets, the shots of a dynamic circuit, or a wide state vector. Nothing else.
    many = sets > 1 or (features.dynamic and op.shots is not None)
    for threads in thread_counts(max_threads if many or features.qubits >= PARALLEL_QUBITS else 1):
        yield Variant("fp64", threads, settings={"method": "statevector"})
        yield Variant("fp32", threads, exact=False, settings={"method": "statevector"})
    for threads in thread_counts(max_threads if many and features.qubits < PARALLEL_QUBITS else 1):
        yield Variant("fp64", threads, settings={"method": "matrix_product_state"})
    yield Variant("fp64", 1, settings={"method": "stabilizer"})


def _noisy_candidates(op: CircuitOp, max_threads: int) -> Iterator[Variant]:
    """All errors at once as a density matrix; or, to draw from, one random history of errors a shot."""
    for threads in thread_counts(max_threads if 2 * op.features.qubits >= PARALLEL_QUBITS else 1):
        yield Variant("fp64", threads, settings={"method": "density_matrix"})
    if op.shots is not None:
        for threads in thread_counts(max_threads):
            yield Variant("fp64", threads, settings={"method": "statevector"})


def _objection(op: CircuitOp, variant: Variant, memory_bytes: int | None) -> str | None:
    """Why this variant cannot or should not run the circuit; None where it can."""
    method = variant.settings["method"]
    if method == "stabilizer":
        if not op.features.clifford:
            return "stabilizer simulates Clifford circuits only (h, s, x, y, z, cx, cz, swap, ...)"
        return None  # 2 n^2 bits: never a question of memory
    if method == "statevector":
        narrow = op.features.dynamic or isinstance(op, NoisyCircuitOp)
        if op.features.clifford and op.features.qubits > WIDE_CLIFFORD and not narrow:
            return "stabilizer gives the same for this Clifford circuit in polynomial time"
        need = op.features.statevector_nbytes // (2 if variant.precision == "fp32" else 1)
    elif method == "density_matrix":
        need = 16 << 2 * op.features.qubits
    else:
        need = int(min(op.bonds.as_likely().nbytes, 2.0**400))
    if memory_bytes is not None and need > memory_bytes:
        return f"{method} needs {human_bytes(need)} of memory, the processor has {human_bytes(memory_bytes)}"
    return None


def _sets(op: CircuitOp, specs: Specs) -> int:
    work = op.work(specs)
    return int(work.features["sets"])


def _save(circuit: Any, op: CircuitOp) -> None:
    """Add the instructions that save the expectation values, after translation: no basis knows them."""
    import qiskit_aer.library  # noqa: F401  # gives QuantumCircuit its save methods

    for index, observable in enumerate(op.observables):
        circuit.save_expectation_value(observable, range(circuit.num_qubits), label=f"observable{index}")


def _packed(op: CircuitOp, data: list[dict[str, Any]], shape: tuple[int, ...]) -> Any:
    if op.shots is not None:
        return op.pack_counts([{int(k, 16): int(n) for k, n in one["counts"].items()} for one in data], shape)
    table = [[one[f"observable{i}"] for i in range(len(op.observables))] for one in data]
    return op.pack_expectations(np.asarray(table, np.float64), shape)
