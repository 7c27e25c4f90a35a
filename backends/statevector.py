"""hetero's own state vectors: one circuit of up to 16 qubits, many parameter sets at once.

Beside circuits it runs their gradients (adjoint method) and the overlaps of their states (quantum kernels).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.backends.packages import missing, version
from hetero.backends.statevector_frame import LANES
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
from hetero.ops.circuit_gradient import CircuitGradientOp
from hetero.ops.circuit_overlap import CircuitOverlapOp
from hetero.ops.pauli import PauliTerms
from hetero.values import Specs

if TYPE_CHECKING:
    from hetero.backends.statevector_program import Program

NAME = "cpu/statevector"

MAX_QUBITS = 16
"""Beyond, one block of states leaves the caches and Aer's fused gates are faster."""

MAX_GATE_QUBITS = 3
"""A gate with ten controls becomes two thousand gates here, where Aer has a pass of its own for it."""

CHUNK_AMPLITUDES = 1 << 22
"""Amplitudes held at once while shots are drawn or states compared: 64 MiB at most."""


def probe(cpu: Processor) -> Sequence[DeviceStatus]:
    if status := missing(NAME, "qiskit", "quantum"):
        return [status]
    info = DeviceInfo(
        name=NAME,
        engine="statevector",
        version=version("hetero"),
        processor=cpu.name,
        vendor=cpu.vendor,
        supplier="hetero",
        kinds=(CircuitOp.kind, CircuitGradientOp.kind, CircuitOverlapOp.kind),
        concurrency=64,
        capability=f"batches of circuits of up to {MAX_QUBITS} qubits",
        max_threads=cpu.cores,
        precisions=("fp64",),
    )
    return [DeviceStatus(NAME, True, info)]


def open_device(info: DeviceInfo) -> Device:
    import hetero.backends.statevector_kernels  # noqa: F401  # loads numba

    return StatevectorDevice(info)


class StatevectorDevice:
    """Blocks of parameter sets, shared out among threads."""

    memory = HOST

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info

    def variants(self, op: Op, specs: Specs) -> Offers:
        if not isinstance(op, CircuitOp) or op.kind not in self.info.kinds:
            return Offers(refusals=(wrong_kind(self.info, op, "circuits"),))
        reason = None
        if op.features.dynamic:
            reason = "the circuit measures, resets or branches before its end"
        elif op.features.qubits > MAX_QUBITS:
            reason = f"at most {MAX_QUBITS} qubits, the circuit has {op.features.qubits}"
        elif (width := _widest_gate(op)) > MAX_GATE_QUBITS:
            reason = (
                f"a gate on {width} qubits would become hundreds of small ones; at most {MAX_GATE_QUBITS}"
            )
        if reason is not None:
            return Offers(refusals=(Refusal(f"{self.info.name}: {reason}", Variant("fp64")),))
        blocks = int(op.work(specs[:1]).features["sets"]) // LANES
        return Offers(tuple(Variant("fp64", n) for n in thread_counts(min(self.info.max_threads, blocks))))

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        if not isinstance(op, CircuitOp) or op.kind not in self.info.kinds:
            raise DeviceError(f"{self.info.name} runs circuits, not {op.kind} {op.name!r}")
        program = _program(self.info.name, op)
        pool = ThreadPoolExecutor(variant.threads - 1) if variant.threads > 1 else None
        share = _sharing(pool, variant.threads)
        work = _work(op, program, share)
        # numba compiles, or loads what it compiled before, at a kernel's first call: have that now.
        one = np.zeros((1, len(op.angles)))
        work(one, np.zeros((1, len(op.observables))) if op.kind == CircuitGradientOp.kind else one)
        return DirectExecutable(work, on_close=pool.shutdown if pool else None)


def _widest_gate(op: CircuitOp) -> int:
    if not op.features.larger_gates:
        return 2
    return max(len(i.qubits) for i in op.circuit.data if i.name != "barrier")


def _program(device: str, op: CircuitOp) -> Program:
    from qiskit import transpile
    from qiskit.exceptions import QiskitError

    from hetero.backends.statevector_program import BASIS, NAMES, translate
    from hetero.ops.circuit_gates import in_gates

    circuit = in_gates(op.unitary, NAMES)
    if circuit is None:
        try:
            circuit = transpile(op.unitary, basis_gates=list(BASIS), optimization_level=1, seed_transpiler=0)
        except QiskitError as error:
            raise refuse(device, op, error) from error
    return translate(circuit, list(op.circuit.parameters))


Task = Callable[[int, int], None]
"""Does the blocks from start to stop."""
Share = Callable[[int, Task], None]
"""Does so many blocks by a task."""
Work = Callable[..., Outputs]
"""The op's outputs, of its inputs."""


def _sharing(pool: ThreadPoolExecutor | None, threads: int) -> Share:
    """Shares blocks out among the calling thread and the pool's. The kernels hold no GIL."""

    def share(blocks: int, task: Task) -> None:
        if pool is None or blocks < 2:
            task(0, blocks)
            return
        cuts = np.linspace(0, blocks, min(threads, blocks) + 1).astype(int).tolist()
        (own, *others) = pairwise(cuts)
        running = [pool.submit(task, start, stop) for start, stop in others]
        task(*own)
        for one in running:
            one.result()

    return share


def _work(op: CircuitOp, program: Program, share: Share) -> Work:
    if isinstance(op, CircuitGradientOp):
        return _gradients(op, program, share)
    if isinstance(op, CircuitOverlapOp):
        return _overlaps(op, program, share)
    return _expectations(op, program, share) if op.shots is None else _counts(op, program, op.shots, share)


def _expectations(op: CircuitOp, program: Program, share: Share) -> Work:
    from hetero.backends import statevector_kernels as kernels

    asked = program.terms(PauliTerms.of(op.observables))

    def work(*inputs: Any) -> Outputs:
        rows, shape = op.rows(inputs)
        if not len(rows):
            return (op.pack_expectations([], shape),)
        out = np.zeros((_blocks(rows), len(op.observables), LANES))

        def task(start: int, stop: int) -> None:
            trig = program.trig(rows[start * LANES : stop * LANES])
            kernels.expectations(*program.arrays, trig, *asked, out[start:stop])

        share(len(out), task)
        return (op.pack_expectations(_by_set(out)[: len(rows)], shape),)

    return work


def _gradients(op: CircuitGradientOp, program: Program, share: Share) -> Work:
    from hetero.backends.statevector_adjoint import gradients

    asked = program.terms(PauliTerms.of(op.observables))

    def work(*inputs: Any) -> Outputs:
        rows, _ = op.rows(inputs)
        if not len(rows):
            return np.zeros((0, len(op.observables))), np.zeros(rows.shape)
        blocks = _blocks(rows)
        pull = np.zeros((blocks * LANES, len(op.observables)))
        pull[: len(rows)] = inputs[1]
        by_block = np.ascontiguousarray(pull.reshape(blocks, LANES, -1).transpose(0, 2, 1))
        values = np.zeros(by_block.shape)
        slopes = np.empty(rows.shape)

        def task(start: int, stop: int) -> None:
            own = rows[start * LANES : stop * LANES]
            trig = program.trig(own)
            by_angle = np.zeros((stop - start, trig.shape[1], LANES))
            gradients(*program.arrays, trig, *asked, by_block[start:stop], values[start:stop], by_angle)
            pulled = program.angles.pulled_back(_by_set(by_angle)[: len(own)].T, own)
            slopes[start * LANES : stop * LANES] = pulled

        share(blocks, task)
        return _by_set(values)[: len(rows)], slopes

    return work


def _overlaps(op: CircuitOverlapOp, program: Program, share: Share) -> Work:
    from hetero.backends import statevector_kernels as kernels

    size = 1 << program.qubits
    chunk = max(LANES, CHUNK_AMPLITUDES // size)

    def states(rows: Any) -> Any:
        out = np.empty((_blocks(rows), LANES, size), np.complex128)

        def task(start: int, stop: int) -> None:
            kernels.states(*program.arrays, program.trig(rows[start * LANES : stop * LANES]), out[start:stop])

        share(len(out), task)
        return out.reshape(-1, size)[: len(rows)]

    def work(*inputs: Any) -> Outputs:
        (left, _), (right, _) = op.rows(inputs[:1]), op.rows(inputs[1:])
        found = np.empty((len(left), len(right)))
        if len(left) <= chunk and np.array_equal(left, right):
            own = states(left) if len(left) else np.empty((0, size))
            found[:] = np.abs(own.conj() @ own.T) ** 2
            return (found,)
        for begin in range(0, len(right), chunk):
            columns = states(right[begin : begin + chunk])
            for start in range(0, len(left), chunk):
                overlap = states(left[start : start + chunk]).conj() @ columns.T
                found[start : start + chunk, begin : begin + chunk] = np.abs(overlap) ** 2
        return (found,)

    return work


def _counts(op: CircuitOp, program: Program, shots: int, share: Share) -> Work:
    from hetero.backends import statevector_kernels as kernels

    basis = program.frame.states()
    chunk = max(LANES, CHUNK_AMPLITUDES // len(basis))
    final = sorted((op.final_measurements or {}).items())

    def probabilities(rows: Any) -> Any:
        out = np.empty((_blocks(rows), len(basis), LANES))

        def task(start: int, stop: int) -> None:
            trig = program.trig(rows[start * LANES : stop * LANES])
            kernels.probabilities(*program.arrays, trig, basis, out[start:stop])

        share(len(out), task)
        return _by_set(out)[: len(rows)]

    def work(*inputs: Any) -> Outputs:
        rows, shape = op.rows(inputs[: len(op.inputs)])
        generator = np.random.default_rng(op.seed)
        counts: list[dict[int, int]] = []
        for begin in range(0, len(rows), chunk):
            found = probabilities(rows[begin : begin + chunk])
            counts += [_draw(one, shots, final, generator) for one in found]
        return (op.pack_counts(counts, shape),)

    return work


def _blocks(rows: Any) -> int:
    return -(-len(rows) // LANES)


def _by_set(blocks: Any) -> Any:
    """(blocks, values, lanes) -> (blocks * lanes, values): one row a parameter set."""
    return blocks.transpose(0, 2, 1).reshape(-1, blocks.shape[1])


def _draw(
    probabilities: Any, shots: int, final: Sequence[tuple[int, int]], generator: np.random.Generator
) -> dict[int, int]:
    """Counts of the values of the classical bits, ``final`` being (classical bit, qubit)."""
    ladder = np.cumsum(probabilities)
    drawn = np.searchsorted(ladder, generator.random(shots) * ladder[-1], side="right")
    states, seen = np.unique(np.minimum(drawn, len(ladder) - 1), return_counts=True)
    counts: dict[int, int] = {}
    for state, times in zip(states.tolist(), seen.tolist(), strict=True):
        bits = sum((state >> qubit & 1) << clbit for clbit, qubit in final)
        counts[bits] = counts.get(bits, 0) + times
    return counts
