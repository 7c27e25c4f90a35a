"""Real processors as devices of ``ht.plan``: a circuit of a pipeline is placed on one by what is declared of it.

Planning runs nothing here. A variant declares the seconds, dollars and error of one call, with which the planner
counts as with any other; a run sends a job, by the way of `RealProcessor`: only while it is allowed, within the
spending limit, written down before, and under a name made of the content, so that the same request finds its job again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit import QuantumCircuit

from hetero.device import HOST, DeviceInfo, DeviceStatus, Offers, Refusal, Variant, wrong_kind
from hetero.errors import ArgumentError, DeviceError, InfeasibleError, UnavailableError
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs
from hetero.ops.circuit import CircuitOp
from hetero.ops.counts import values_of
from hetero.registry import Row, add_row, remove_row
from hetero.values import Specs, digest_of

if TYPE_CHECKING:
    from hetero.cost.circuit_target import OnTarget
    from hetero.quantum.paid_job import PaidJob
    from hetero.quantum.processors import RealProcessor

__all__ = ["connect", "disconnect", "open_device", "probe"]

ENGINE = "qpu"
JOBS_AT_ONCE = 64
"""Calls that may wait for the provider together."""

_connected: dict[str, RealProcessor] = {}


def connect(processor: RealProcessor) -> None:
    """Make it a device of this process, in the place of one of the same name."""
    _connected[processor.name] = processor
    add_row(Row(ENGINE, __name__, ENGINE, ("qiskit",), "quantum"))


def disconnect(processor: RealProcessor) -> None:
    """Make it no device any more; plans that are open keep it."""
    if _connected.get(processor.name) is processor:
        del _connected[processor.name]
    if not _connected:
        remove_row(ENGINE)


def probe(cpu: Processor) -> Sequence[DeviceStatus]:
    return [_status(processor) for processor in _connected.values()]


def open_device(info: DeviceInfo) -> ProcessorDevice:
    return ProcessorDevice(info)


def _status(qpu: RealProcessor) -> DeviceStatus:
    backend = qpu.backend
    provider = str(getattr(getattr(backend, "provider", None), "name", None) or "")
    hardware = Processor(
        backend.name,
        kind="qpu",
        model=f"{backend.name}, {backend.num_qubits} qubits",
        vendor=provider,
        power_source="its owner's",
        price_source=f"declared: ${qpu.terms.dollars_per_shot:.6g} a shot, ${qpu.terms.dollars_per_job:.6g} a job",
        carbon_source="its owner's",
        charged_by_use=True,
    )
    info = DeviceInfo(
        name=qpu.name,
        engine=ENGINE,
        version=str(getattr(backend, "backend_version", None) or "unknown"),
        processor=hardware.name,
        vendor=provider,
        supplier="Qiskit BackendV2",
        kinds=(CircuitOp.kind,),
        concurrency=JOBS_AT_ONCE,
        capability="counts of circuits, for the price that was declared",
        driver=digest_of(_declared(backend.target), qpu.terms),
        precisions=("native",),
    )
    return DeviceStatus(qpu.name, True, info, hardware)


def _declared(target: Any) -> list[Any]:
    """All that estimates are made of, as plain values: with another calibration they are others."""
    return [
        (
            name,
            sorted((list(qubits or ()), *_numbers(known)) for qubits, known in (target[name] or {}).items()),
        )
        for name in sorted(target.operation_names)
    ]


def _numbers(known: Any) -> tuple[float, float]:
    return float(getattr(known, "duration", None) or -1), float(getattr(known, "error", None) or -1)


class ProcessorDevice:
    """One variant, with what is declared of one call."""

    memory = HOST

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info

    def variants(self, op: Op, specs: Specs) -> Offers:
        if not isinstance(op, CircuitOp) or op.kind not in self.info.kinds:
            return Offers(refusals=(wrong_kind(self.info, op, "circuits"),))
        if op.shots is None:
            reason = f"{self.info.name} gives counts, not expectation values: ask for shots="
            return Offers(refusals=(Refusal(reason),))
        qpu = self._processor()
        try:
            _, part = qpu.translated(op.circuit)
        except InfeasibleError as error:
            return Offers(refusals=(Refusal(str(error)),))
        sets = int(op.work(specs).features["sets"])
        declared = {
            "seconds": qpu.terms.queue_s + qpu.terms.run_s([part] * sets, op.shots),
            "dollars": qpu.terms.dollars(sets, op.shots),
            "error": part.error,
        }
        settings = {name: float(f"{value:.6g}") for name, value in declared.items()}
        return Offers((Variant("native", exact=False, settings=settings),))

    def compile(self, op: Op, variant: Variant) -> ProcessorExecutable:
        if not isinstance(op, CircuitOp) or op.kind not in self.info.kinds or op.shots is None:
            raise DeviceError(f"{self.info.name} runs circuits with shots=, not {op.kind} {op.name!r}")
        qpu = self._processor()
        try:
            return ProcessorExecutable(qpu, op, variant, *qpu.translated(op.circuit))
        except InfeasibleError as error:
            raise DeviceError(f"{self.info.name} cannot compile {op.kind} {op.name!r}: {error}") from error

    def _processor(self) -> RealProcessor:
        if self.info.name not in _connected:
            raise UnavailableError(
                f"{self.info.name} is not connected in this process: RealProcessor(backend, ...).connect()"
            )
        return _connected[self.info.name]


@dataclass(frozen=True, slots=True)
class ProcessorExecutable:
    """A circuit in the processor's instructions; each start is one job of one circuit for each set of parameters."""

    qpu: RealProcessor
    op: CircuitOp
    variant: Variant
    own: QuantumCircuit
    part: OnTarget

    def start(self, inputs: Sequence[Any]) -> Sent:
        rows, shape = self.op.rows(inputs)
        shots, planned = self.op.shots, self.variant.charged_dollars
        assert shots is not None, "the device compiles nothing else"
        bound = [self._bound(row) for row in rows]
        asked = digest_of("paid call", self.op.alone.circuit_digest, rows, shots)
        quote = self.qpu.quoted(bound, [self.part] * len(bound), shots, asked)
        if planned is not None and quote.dollars > planned * (1 + 1e-5):
            raise ArgumentError(
                f"{self.qpu.name}: this call of {self.op.name!r} would take ${quote.dollars:.2f} for {len(rows)} sets "
                f"of parameters, the plan says ${planned:.2f}; nothing was sent: plan on a sample with as many sets"
            )
        name = f"{self.qpu.allowed_name(quote)}/{self.op.name}/{asked[:16]}"
        return Sent(self.op, self.qpu.submit(quote, allow=True, name=name), shape)

    def close(self) -> None:
        """Nothing is held: a job goes on, and is found by its name."""

    def _bound(self, row: np.ndarray[Any, Any]) -> QuantumCircuit:
        values = dict(zip(self.op.circuit.parameters, row.tolist(), strict=True))
        # Translating may have dropped a parameter, as that of a rotation that is not measured.
        return self.own.assign_parameters({p: values[p] for p in self.own.parameters})


@dataclass(frozen=True, slots=True)
class Sent:
    """A job under way, as a run of a device."""

    op: CircuitOp
    job: PaidJob
    shape: tuple[int, ...]

    @property
    def token(self) -> str | None:
        return self.job.name

    def wait(self, timeout_s: float | None = None) -> Outputs:
        return (
            self.op.pack_counts([values_of(counts) for counts in self.job.result(timeout_s)], self.shape),
        )

    def cancel(self) -> bool:
        return self.job.cancel()
