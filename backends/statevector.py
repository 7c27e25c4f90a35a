"""hetero's own state vectors: one circuit of 2 to 16 qubits, many parameter sets at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

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
)
from hetero.errors import DeviceError
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs
from hetero.ops.circuit import CircuitOp
from hetero.ops.pauli import PauliTerms
from hetero.values import Specs

if TYPE_CHECKING:
    from hetero.backends.statevector_program import Program

NAME = "cpu/statevector"

MAX_QUBITS = 16
"""Beyond, one block of states leaves the caches and Aer's fused gates are faster."""

CHUNK_AMPLITUDES = 1 << 22
"""Probabilities held at once while shots are drawn: 32 MiB."""


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
        kinds=("circuit",),
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
        if not isinstance(op, CircuitOp):
            return Offers(refusals=(Refusal(f"{self.info.name} runs circuits, not {op.kind} ops"),))
        reason = None
        if op.features.dynamic:
            reason = "the circuit measures, resets or branches before its end"
        elif op.features.qubits > MAX_QUBITS:
            reason = f"at most {MAX_QUBITS} qubits, the circuit has {op.features.qubits}"
        if reason is not None:
            return Offers(refusals=(Refusal(f"{self.info.name}: {reason}", Variant("fp64")),))
        blocks = int(op.work(specs).features["sets"]) // 8
        return Offers(tuple(Variant("fp64", n) for n in thread_counts(min(self.info.max_threads, blocks))))

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        from qiskit import transpile
        from qiskit.exceptions import QiskitError

        from hetero.backends.statevector_program import BASIS, translate

        if not isinstance(op, CircuitOp):
            raise DeviceError(f"{self.info.name} runs circuits, not {op.kind} {op.name!r}")
        try:
            plain = transpile(op.unitary, basis_gates=list(BASIS), optimization_level=1, seed_transpiler=0)
        except QiskitError as error:
            raise refuse(self.info.name, op, error) from error
        program = translate(plain, list(op.circuit.parameters))
        pool = ThreadPoolExecutor(variant.threads) if variant.threads > 1 else None
        share = _sharing(pool, variant.threads)
        work = _expectations(op, program) if op.shots is None else _counts(op, program, op.shots)
        # numba compiles at a kernel's first call: have that now.
        work(share, np.zeros((1, op.features.parameters)), (1,))

        def run(*inputs: Any) -> Outputs:
            return (work(share, *op.rows(inputs)),)

        return DirectExecutable(run, on_close=pool.shutdown if pool else None)


Task = Callable[[int, int], None]
"""Does the blocks from start to stop."""
Share = Callable[[int, Task], None]
"""Does so many blocks by a task."""
Work = Callable[[Share, Any, tuple[int, ...]], Any]
"""The op's output, of parameter sets (sets, n) and the leading shape of the result."""


def _sharing(pool: ThreadPoolExecutor | None, threads: int) -> Share:
    """Shares blocks out among the pool's threads. The kernels hold no GIL."""

    def share(blocks: int, task: Task) -> None:
        if pool is None:
            task(0, blocks)
            return
        cuts = np.linspace(0, blocks, min(threads, blocks) + 1).astype(int).tolist()
        for running in [pool.submit(task, start, stop) for start, stop in pairwise(cuts)]:
            running.result()

    return share


def _expectations(op: CircuitOp, program: Program) -> Work:
    from hetero.backends import statevector_kernels as kernels

    terms = PauliTerms.of(op.observables)
    paulis = (terms.x, terms.z, terms.coefficients, terms.owners)

    def work(share: Share, rows: Any, shape: tuple[int, ...]) -> Any:
        if not len(rows):
            return op.pack_expectations([], shape)
        trig = program.trig(rows)
        out = np.zeros((trig.shape[2], terms.observables, kernels.LANES))
        share(len(out), partial(kernels.expectations, *program.arrays, trig, *paulis, out))
        return op.pack_expectations(_by_set(out)[: len(rows)], shape)

    return work


def _counts(op: CircuitOp, program: Program, shots: int) -> Work:
    from hetero.backends import statevector_kernels as kernels

    size = 1 << program.qubits
    chunk = max(kernels.LANES, CHUNK_AMPLITUDES // size)
    final = op.final_measurements or {}
    # Of every basis state, what the classical bits then are.
    bits = [sum((state >> qubit & 1) << clbit for clbit, qubit in final.items()) for state in range(size)]

    def work(share: Share, rows: Any, shape: tuple[int, ...]) -> Any:
        generator = np.random.default_rng(op.seed)
        counts: list[dict[int, int]] = []
        for begin in range(0, len(rows), chunk):
            part = rows[begin : begin + chunk]
            trig = program.trig(part)
            out = np.empty((trig.shape[2], size, kernels.LANES))
            share(len(out), partial(kernels.probabilities, *program.arrays, trig, out))
            counts += [_draw(one / one.sum(), shots, bits, generator) for one in _by_set(out)[: len(part)]]
        return op.pack_counts(counts, shape)

    return work


def _by_set(blocks: Any) -> Any:
    """(blocks, values, lanes) -> (blocks * lanes, values): one row a parameter set."""
    return blocks.transpose(0, 2, 1).reshape(-1, blocks.shape[1])


def _draw(
    probabilities: Any, shots: int, bits: Sequence[int], generator: np.random.Generator
) -> dict[int, int]:
    drawn = generator.multinomial(shots, probabilities)
    counts: dict[int, int] = {}
    for state in np.flatnonzero(drawn).tolist():
        counts[bits[state]] = counts.get(bits[state], 0) + int(drawn[state])
    return counts
