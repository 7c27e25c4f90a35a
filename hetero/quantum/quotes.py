"""What jobs on a real processor take, before any is sent: its owner's terms, and a quote by them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from qiskit import QuantumCircuit

from hetero.cost.circuit_target import OnTarget
from hetero.errors import ArgumentError
from hetero.ops.shots import standard_error

__all__ = ["SECONDS_BETWEEN_SHOTS", "Quote", "Terms"]

SECONDS_BETWEEN_SHOTS = 250e-6
"""Where nothing is declared: superconducting qubits are left to decay between shots (IBM's ``default_rep_delay``)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the user or provider says of jobs: seconds in the queue, dollars for each shot and job, seconds from one
    shot to the next beside the circuit's own.

    Raises:
        ArgumentError: one is no number of at least 0.

    >>> Terms(dollars_per_shot=0.01, dollars_per_job=0.3).dollars(circuits=2, shots=100)
    2.3
    """

    queue_s: float = 0.0
    dollars_per_shot: float = 0.0
    dollars_per_job: float = 0.0
    seconds_between_shots: float = SECONDS_BETWEEN_SHOTS

    def __post_init__(self) -> None:
        for field in fields(self):
            require_amount(field.name, getattr(self, field.name))

    def run_s(self, parts: Sequence[OnTarget], shots: int) -> float:
        """Seconds on the processor itself."""
        return shots * math.fsum(part.seconds + self.seconds_between_shots for part in parts)

    def dollars(self, circuits: int, shots: int) -> float:
        return self.dollars_per_job + self.dollars_per_shot * shots * circuits


def require_amount(name: str, value: float) -> None:
    """Raise ``ArgumentError`` where a value is no finite number of at least 0; NaN would pass every comparison."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ArgumentError(f"{name}={value!r}: expected a number >= 0")


@dataclass(frozen=True, slots=True)
class Quote:
    """What a job of these circuits takes, by what the processor and the user declare. Nothing was sent.

    ``circuits`` are in the processor's own instructions; ``parts`` tell of each. ``asked`` is the digest of the
    circuits as they were given, and of the shots: translating again after a calibration gives other instructions for
    the same job. ``seconds`` until the result is there, queue included; ``error`` is the largest probability that
    anything goes wrong in a shot.
    """

    processor: str
    circuits: tuple[QuantumCircuit, ...]
    parts: tuple[OnTarget, ...]
    shots: int
    asked: str
    queue_s: float
    run_s: float
    dollars: float

    @property
    def seconds(self) -> float:
        return self.queue_s + self.run_s

    @property
    def error(self) -> float:
        return max((part.error for part in self.parts), default=0.0)

    @property
    def standard_error(self) -> float:
        """Of a relative frequency, from so many shots alone, at most."""
        return standard_error(self.shots)

    def __str__(self) -> str:
        lines = [
            f"{self.processor}: {len(self.circuits)} circuits of {self.shots} shots, nothing sent yet",
            f"  ${self.dollars:.2f}, {self.seconds:.3g} s of which {self.queue_s:.3g} s are queue",
            f"  standard error of a relative frequency: at most {self.standard_error:.2g}",
        ]
        for circuit, part in zip(self.circuits, self.parts, strict=True):
            silent = f"; nothing declared of {', '.join(part.silent)}" if part.silent else ""
            lines.append(
                f"  {circuit.name}: {part.gates} gates, {part.two_qubit_gates} of two qubits, {part.seconds:.2g} s a "
                f"shot, something goes wrong in {part.error:.1%} of the shots{silent}"
            )
        return "\n".join(lines)
