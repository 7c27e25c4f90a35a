"""Run a circuit op for many parameter sets: reduced, each part by the way that is forecast to be fastest."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hetero.errors import DeviceError, InfeasibleError
from hetero.machine import Machine
from hetero.ops.circuit import CircuitOp
from hetero.ops.counts import values_of
from hetero.quantum.attempts import attempts
from hetero.quantum.story import Story, Tried
from hetero.quantum.ways import Ways, inputs_of, ways_of
from hetero.quantum.workers import MOST_KEPT, run
from hetero.rewrite.reduce_circuit import Part, Reduced, as_it_is, reduced
from hetero.values import specs_of

__all__ = ["Answer", "answer", "require_ways"]

SURE_QUBITS = 24
"""Up to here a state vector is 256 MiB, and some method always fits, but where loops leave few of them."""

REDUCE_GATE_S = 2e-5
"""What reducing takes a gate: not done where a whole circuit takes no longer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``values``: of counts one mapping (value of the classical bits -> times seen) a set, of expectation values an
    array (sets, observables). ``stories`` one a part, ``notes`` what was reduced."""

    values: Any
    stories: tuple[Story, ...]
    notes: tuple[str, ...]


def answer(
    op: CircuitOp,
    rows: np.ndarray[Any, Any],
    machine: Machine,
    rng: np.random.Generator,
    go_on: Callable[[], None] = lambda: None,
    lane: int = 0,
) -> Answer:
    """The op's answer for parameter sets of shape (sets, n).

    ``go_on`` is called before each part and may raise to stop. ``lane``: the queue's, see `hetero.quantum.workers`.

    Raises:
        InfeasibleError: no device can run it; says what each would need.
        DeviceError: every way failed; says how.
    """
    small, ways = _prepared(op, rows, machine)
    answers, stories = [], []
    for part, known in zip(small.parts, ways, strict=True):
        go_on()
        values, story = _part(part, rows[:, list(part.columns)], known, machine, rng, lane)
        answers.append(values)
        stories.append(story)
    return Answer(small.combine(answers, len(rows), rng), tuple(stories), small.notes)


def require_ways(op: CircuitOp, rows: np.ndarray[Any, Any], machine: Machine) -> None:
    """See that something can run each part of a wide circuit, before any work.

    Raises:
        InfeasibleError: nothing can; says what each method would need.
    """
    if op.features.qubits <= SURE_QUBITS and not op.features.loops:
        return
    small, ways = _prepared(op, rows, machine)
    for part, found in zip(small.parts, ways, strict=True):
        if not found.ways:
            raise _impossible(part.op, found)


def _impossible(op: CircuitOp, found: Ways) -> InfeasibleError:
    reasons = "; ".join(f"{name}: {reason}" for name, reason in found.refused)
    return InfeasibleError(
        f"circuit {op.name!r}: no device can run its {op.features.qubits} qubits and "
        f"{op.features.gates} gates: {reasons}"
    )


_decided: OrderedDict[tuple[str, int, Machine], tuple[Reduced, tuple[Ways, ...]]] = OrderedDict()
_deciding = threading.Lock()


def _prepared(
    op: CircuitOp, rows: np.ndarray[Any, Any], machine: Machine
) -> tuple[Reduced, tuple[Ways, ...]]:
    """The parts of an op and the ways to run each; kept, since a variational loop asks for the same over and over."""
    key = (op.digest, len(rows), machine)
    with _deciding:
        if key in _decided:
            _decided.move_to_end(key)
            return _decided[key]
    whole = ways_of(op, specs_of(inputs_of(op, rows)), machine, dry_run=False)
    quickest = min((way.forecast.first_s for way in whole.ways), default=np.inf)
    found: tuple[Reduced, tuple[Ways, ...]]
    if quickest < REDUCE_GATE_S * op.features.gates:
        found = as_it_is(op), (whole,)
    else:
        small = reduced(op)
        found = small, tuple(_ways(p.op, rows[:, list(p.columns)], machine) for p in small.parts)
    with _deciding:
        _decided[key] = found
        if len(_decided) > MOST_KEPT:
            _decided.popitem(last=False)
    return found


def _ways(op: CircuitOp, rows: np.ndarray[Any, Any], machine: Machine) -> Ways:
    return ways_of(op, specs_of(inputs_of(op, rows)), machine)


def _part(
    part: Part,
    rows: np.ndarray[Any, Any],
    known: Ways,
    machine: Machine,
    rng: np.random.Generator,
    lane: int,
) -> tuple[Any, Story]:
    """The part's answer for every set. One that has no parameters is run once, and drawn from for every set."""
    op, sets = part.op, len(rows)
    if op.features.parameters or sets == 1:
        output, story = _tried(op, rows, known, lane)
        return _values(op, output, op.features.parameters > 0), story
    if op.shots is None:
        output, story = _tried(op, rows[:1], known, lane)
        return np.repeat(np.reshape(output, (1, -1)), sets, axis=0), story
    many = replace(op, shots=op.shots * sets)
    output, story = _tried(many, rows[:1], _ways(many, rows, machine), lane)
    return _shared_out(values_of(output), op.shots, sets, rng), story


def _tried(op: CircuitOp, rows: np.ndarray[Any, Any], found: Ways, lane: int) -> tuple[Any, Story]:
    """The first way that gives an answer; those before it are in the story."""
    if not found.ways:
        raise _impossible(op, found)
    lost: list[Tried] = []
    for attempt in attempts([way.forecast for way in found.ways]):
        way = found.ways[attempt.index]
        started = time.perf_counter()
        try:
            (output,) = run(op, way, inputs_of(op, rows), attempt.patience_s, lane)
        except DeviceError as error:
            lost.append(Tried(str(way), time.perf_counter() - started, str(error)))
            continue
        seconds = time.perf_counter() - started
        return output, Story(op.features.qubits, str(way), way.forecast.first_s, seconds, tuple(lost))
    raise DeviceError(
        f"circuit {op.name!r}: every way failed: " + "; ".join(f"{one.way}: {one.reason}" for one in lost)
    )


def _values(op: CircuitOp, output: Any, batched: bool) -> Any:
    if op.shots is None:
        return np.reshape(output, (-1, len(op.observables)))
    return [values_of(one) for one in (output if batched else [output])]


def _shared_out(
    counts: Mapping[int, int], shots: int, sets: int, rng: np.random.Generator
) -> list[dict[int, int]]:
    """Shots of one distribution as several samples of it: dealt like cards."""
    outcomes = list(counts)
    left = np.array(list(counts.values()))
    dealt = []
    for _ in range(sets):
        hand = rng.multivariate_hypergeometric(left, shots, method="marginals")
        left = left - hand
        dealt.append({outcome: int(n) for outcome, n in zip(outcomes, hand, strict=True) if n})
    return dealt
