"""Stim on the CPU: Clifford circuits by tableaus and bit-packed Pauli frames, hundreds of qubits in milliseconds."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

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
    wrong_kind,
)
from hetero.errors import DeviceError
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_build import places
from hetero.ops.counts import tally
from hetero.values import Specs

NAME = "cpu/stim"

GATES = {
    "id": "I",
    "x": "X",
    "y": "Y",
    "z": "Z",
    "h": "H",
    "s": "S",
    "sdg": "S_DAG",
    "sx": "SQRT_X",
    "sxdg": "SQRT_X_DAG",
    "cx": "CX",
    "cy": "CY",
    "cz": "CZ",
    "swap": "SWAP",
    "iswap": "ISWAP",
}
"""Qiskit's names of Clifford gates, and Stim's."""


def probe(cpu: Processor) -> Sequence[DeviceStatus]:
    if status := missing(NAME, "stim", "quantum"):
        return [status]
    info = DeviceInfo(
        name=NAME,
        engine="stim",
        version=version("stim"),
        processor=cpu.name,
        vendor=cpu.vendor,
        supplier="Stim (Craig Gidney)",
        kinds=("circuit",),
        concurrency=64,
        capability="Clifford circuits of any width",
        precisions=("fp64",),
    )
    return [DeviceStatus(NAME, True, info)]


def open_device(info: DeviceInfo) -> Device:
    _stim()  # loading the engine belongs here, not into the first compile
    return StimDevice(info)


def _stim() -> Any:
    return importlib.import_module("stim")  # it ships no types


class StimDevice:
    """One variant: exact, one thread."""

    memory = HOST

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info

    def variants(self, op: Op, specs: Specs) -> Offers:
        if not isinstance(op, CircuitOp) or op.kind not in self.info.kinds:
            return Offers(refusals=(wrong_kind(self.info, op, "circuits"),))
        reason = _objection(op)
        if reason is not None:
            return Offers(refusals=(Refusal(f"{self.info.name}: {reason}", Variant("fp64")),))
        return Offers((Variant("fp64"),))

    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        if not isinstance(op, CircuitOp) or op.kind not in self.info.kinds:
            raise DeviceError(f"{self.info.name} runs circuits, not {op.kind} {op.name!r}")
        if reason := _objection(op):
            raise DeviceError(f"{self.info.name} cannot compile {op.kind} {op.name!r}: {reason}")
        circuit = _translated(op)
        return DirectExecutable(_expectations(op, circuit) if op.shots is None else _counts(op, circuit))


def _objection(op: CircuitOp) -> str | None:
    if op.features.dynamic:
        return "the circuit measures, resets or branches before its end"
    foreign = set(op.unitary.count_ops()).difference(GATES, ("barrier", "delay"))
    if foreign:
        return f"Clifford circuits only, in gates {', '.join(GATES)}; found {', '.join(sorted(foreign))}"
    return None


def _translated(op: CircuitOp) -> Any:
    circuit = _stim().Circuit()
    place = places(op.unitary)
    for instruction in op.unitary.data:
        if instruction.name in GATES:
            circuit.append(GATES[instruction.name], [place[qubit] for qubit in instruction.qubits])
    return circuit


def _expectations(op: CircuitOp, circuit: Any) -> Any:
    """Of each Pauli string 1, -1 or 0, from the tableau of the final state."""
    stim = _stim()

    def run(*inputs: Any) -> Outputs:
        rows, shape = op.rows(inputs)
        simulator = stim.TableauSimulator()
        simulator.set_num_qubits(op.features.qubits)
        simulator.do(circuit)
        values = [
            sum(
                coefficient * simulator.peek_observable_expectation(stim.PauliString(label[::-1]))
                for label, coefficient in zip(
                    observable.paulis.to_labels(), observable.coeffs.real, strict=True
                )
            )
            for observable in op.observables
        ]
        return (op.pack_expectations(np.tile(np.asarray(values, np.float64), (len(rows), 1)), shape),)

    return run


def _counts(op: CircuitOp, circuit: Any) -> Any:
    final = sorted((op.final_measurements or {}).items())
    measured = circuit.copy()
    measured.append("M", [qubit for _, qubit in final])
    shots = op.shots
    fresh = np.random.default_rng()

    def run(*inputs: Any) -> Outputs:
        rows, shape = op.rows(inputs)
        generator = fresh if op.seed is None else np.random.default_rng(op.seed)
        counts = []
        for _ in rows:
            sampler = measured.compile_sampler(seed=int(generator.integers(2**62)))
            counts.append(tally(sampler.sample(shots), [clbit for clbit, _ in final]))
        return (op.pack_counts(counts, shape),)

    return run
