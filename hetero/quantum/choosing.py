"""What each simulation method is forecast to take for a circuit, which one would be taken, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from hetero.arguments import Auto
from hetero.errors import ArgumentError
from hetero.ops.circuit import CircuitOp
from hetero.ops.circuit_features import human_bytes
from hetero.ops.shots import AUTO_ERROR, shots_for, standard_error
from hetero.planning.selection import Selection
from hetero.quantum.attempts import Attempt, attempts
from hetero.quantum.ways import Way, inputs_of, machine_for, ways_of
from hetero.rewrite.reduce_circuit import reduced
from hetero.values import specs_of

__all__ = ["Choice", "PartChoice", "choose"]


@dataclass(frozen=True, slots=True)
class PartChoice:
    """One part of a circuit that is simulated by itself: its ways, and in which order they would be tried."""

    qubits: int
    gates: int
    ways: tuple[Way, ...]
    order: tuple[Attempt, ...]
    refused: tuple[tuple[str, str], ...]

    @property
    def chosen(self) -> Way | None:
        """The way that would be tried first; None where no device can run the part."""
        return self.ways[self.order[0].index] if self.order else None

    @property
    def seconds(self) -> float:
        """Forecast of the first answer: of what is tried for a while and likely to be given up, that while, and so on
        to what is forecast to end; infinite where nothing is."""
        spent_s = 0.0
        for attempt in self.order:
            first_s = self.ways[attempt.index].forecast.first_s
            if attempt.patience_s is None or first_s <= attempt.patience_s:
                return spent_s + first_s
            spent_s += attempt.patience_s
        return np.inf


@dataclass(frozen=True, slots=True)
class Choice:
    """``str()`` is a report for people; ``standard_error`` is the largest of a relative frequency, 0 where exact."""

    name: str
    parts: tuple[PartChoice, ...]
    reduced: tuple[str, ...]
    standard_error: float

    @property
    def seconds(self) -> float:
        """Forecast of the first answer of all parts, compiling included; infinite where a part cannot be run."""
        return sum(part.seconds for part in self.parts)

    @property
    def memory_bytes(self) -> float:
        """The most that any part needs at a time."""
        return max((part.chosen.forecast.memory_bytes for part in self.parts if part.chosen), default=0.0)

    def __str__(self) -> str:
        lines = [f"circuit {self.name!r}: predicted {_number(self.seconds)} s, {_memory(self.memory_bytes)}"]
        if self.standard_error:
            lines.append(f"  standard error of a relative frequency: at most {self.standard_error:.2g}")
        lines += [f"  {note}" for note in self.reduced]
        for part in self.parts:
            lines.append(f"  {_count(part.qubits, 'qubit')}, {_count(part.gates, 'gate')}:")
            lines += [_row(part, attempt, place == 0) for place, attempt in enumerate(part.order)]
            lines += [f"      no   {name}: {reason}" for name, reason in part.refused]
        return "\n".join(lines)


def choose(
    circuit: QuantumCircuit | str | Any,
    shots: int | Auto | None = None,
    observables: Any = None,
    *,
    error: float | None = None,
    sets: int = 1,
    allow: str | Iterable[str] | None = None,
    deny: str | Iterable[str] | None = None,
) -> Choice:
    """Predict what every method takes, without simulating anything: seconds, memory, and why.

    The decision is that of `Sampler` and `Estimator`. ``shots`` are 1,024 where neither they nor observables are given.
    ``shots=ht.auto`` are as many as a standard error of ``error`` takes (0.01 where none is given), as ``error=`` by
    itself. ``sets`` is the number of parameter sets.

    Raises:
        ModelError, ArgumentError: as for `hetero.from_qiskit`; ``sets`` that are not a positive integer.

    >>> from qiskit import QuantumCircuit
    >>> ghz = QuantumCircuit(40)
    >>> _ = ghz.h(0), [ghz.cx(i, i + 1) for i in range(39)], ghz.measure_all()
    >>> choose(ghz, shots=100).seconds < 1
    True
    """
    if isinstance(sets, bool) or not isinstance(sets, int) or sets < 1:
        raise ArgumentError(f"sets={sets!r}: expected an integer > 0")
    if isinstance(shots, Auto) or (error is not None and shots is None):
        shots = shots_for(AUTO_ERROR if error is None else error)
    elif shots is None and observables is None:
        shots = 1024
    op = CircuitOp.from_circuit(circuit, observables, shots)
    machine = machine_for(Selection.of(allow, deny))
    small = reduced(op)
    parts = []
    for part in small.parts:
        width = part.op.features.parameters
        found = ways_of(part.op, specs_of(inputs_of(part.op, np.zeros((sets, width)))), machine)
        order = attempts([way.forecast for way in found.ways])
        features = part.op.features
        parts.append(PartChoice(features.qubits, features.gates, found.ways, order, found.refused))
    return Choice(op.name, tuple(parts), small.notes, standard_error(shots) if shots else 0.0)


def _row(part: PartChoice, attempt: Attempt, first: bool) -> str:
    way = part.ways[attempt.index]
    told = way.forecast
    span = f"{_number(told.low_s + told.compile_s)} to {_number(told.high_s + told.compile_s)}"
    given = "" if attempt.patience_s is None else f", for {_number(attempt.patience_s)} s at most"
    mark = "->" if first else "  "
    memory = _memory(told.memory_bytes)
    return f"   {mark} {_number(told.first_s):>8} s ({span}) {memory:>9}  {way}: {told.why}{given}"


def _number(value: float) -> str:
    """Two digits, in full up to a day's seconds, where ``:.2g`` writes 600 as 6e+02.

    >>> _number(0.00075), _number(600.0), _number(14.3), _number(3e9)
    ('0.00075', '600', '14', '3e+09')
    """
    return f"{value:.0f}" if 10 <= value < 1e5 else f"{value:.2g}"


def _memory(nbytes: float) -> str:
    """A forecast of 0 is none: of a diagram that was not run dry nothing is known.

    >>> _memory(0), _memory(0.5), _memory(2**30)
    ('memory ?', '< 1 KiB', '1 GiB')
    """
    if not nbytes:
        return "memory ?"
    return "< 1 KiB" if nbytes < 1024 else human_bytes(nbytes)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
