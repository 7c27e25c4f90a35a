"""The right answers of a circuit: exact state vectors by qiskit.quantum_info, and shots drawn from them.

Slow and simple on purpose. Every simulator is compared with this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.errors import ModelError
from hetero.ops.circuit_conditions import holds, value_of
from hetero.ops.circuit_loops import LEAVING, turns

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import SparsePauliOp

__all__ = ["draw_counts", "exact_expectations"]

LONGEST_LOOP = 10_000
"""Turns of a ``while_loop``: one in which a shot stays so long does not end by chance."""


def exact_expectations(unitary: QuantumCircuit, observables: Sequence[SparsePauliOp]) -> list[float]:
    """<psi| O |psi> of the state that a bound circuit without measurements makes from |0...0>."""
    from qiskit.quantum_info import Statevector

    state = Statevector.from_instruction(unitary)
    return [float(np.real(state.expectation_value(observable))) for observable in observables]


def draw_counts(circuit: QuantumCircuit, shots: int, rng: np.random.Generator) -> dict[int, int]:
    """Counts of a bound circuit: value of the classical bits (bit 0 lowest) -> times seen.

    At a measurement the shots that arrive there are divided by one binomial draw from the exact probability:
    mid-circuit measurement, reset, conditions and loops are exact too, with never more branches than shots.
    What is measured last is drawn all at once.
    """
    prefix = _without_final_measurements(circuit)
    branches = [_Branch(_zero_state(circuit.num_qubits), 0, shots)]
    for instruction in prefix.instructions:
        branches = [after for branch in branches for after in _step(branch, circuit, instruction, rng)]
    counts: dict[int, int] = {}
    for branch in branches:
        for bits, count in _draw_final(branch, prefix.final, rng):
            counts[bits] = counts.get(bits, 0) + count
    return counts


@dataclass(frozen=True, slots=True)
class _Branch:
    """What some of the shots share: a state, the classical bits so far, and how many shots they are."""

    state: Any
    bits: int
    shots: int
    leaving: str = ""
    """``break_loop`` or ``continue_loop``, until the loop has heard it."""


@dataclass(frozen=True, slots=True)
class _Prefix:
    instructions: list[Any]
    final: list[tuple[int, int]]
    """(classical bit, qubit) of the measurements after which nothing happens to that qubit."""


def _zero_state(qubits: int) -> Any:
    from qiskit.quantum_info import Statevector

    data = np.zeros(1 << qubits, complex)
    data[0] = 1
    return Statevector(data)


def _without_final_measurements(circuit: QuantumCircuit) -> _Prefix:
    """Take measurements off the end while no kept instruction comes after them on the same bits."""
    kept: list[Any] = []
    final: dict[int, int] = {}
    busy: set[Any] = set()
    for instruction in reversed(circuit.data):
        name = instruction.operation.name
        if name in ("barrier", "delay"):
            continue
        if name == "measure" and not busy.intersection((*instruction.qubits, *instruction.clbits)):
            clbit = circuit.find_bit(instruction.clbits[0]).index
            final.setdefault(clbit, circuit.find_bit(instruction.qubits[0]).index)  # the last one wins
            continue
        busy.update(instruction.qubits, instruction.clbits)
        kept.append(instruction)
    return _Prefix(kept[::-1], list(final.items()))


def _step(
    branch: _Branch, circuit: QuantumCircuit, instruction: Any, rng: np.random.Generator
) -> list[_Branch]:
    if branch.leaving:
        return [branch]
    operation = instruction.operation
    qubits = [circuit.find_bit(q).index for q in instruction.qubits]
    clbits = [circuit.find_bit(c).index for c in instruction.clbits]
    if operation.name == "measure":
        return [
            _Branch(state, branch.bits & ~(1 << clbits[0]) | outcome << clbits[0], shots)
            for outcome, state, shots in _measure(branch, qubits[0], rng)
        ]
    if operation.name == "reset":
        return [
            _Branch(_flip(state, qubits[0]) if outcome else state, branch.bits, shots)
            for outcome, state, shots in _measure(branch, qubits[0], rng)
        ]
    if operation.name == "if_else":
        chosen = operation.blocks[0 if holds(operation.condition, branch.bits, circuit) else 1 :][:1]
        return _run_block(branch, chosen, qubits, clbits, rng)
    if operation.name == "switch_case":
        chosen = _case(operation, value_of(operation.target, branch.bits, circuit))
        return _run_block(branch, chosen, qubits, clbits, rng)
    if operation.name in LEAVING:
        return [replace(branch, leaving=operation.name)]
    if operation.name in ("for_loop", "while_loop"):
        return _loop(branch, operation, qubits, clbits, circuit, rng)
    return [_Branch(branch.state.evolve(operation, qubits), branch.bits, branch.shots)]


def _case(operation: Any, value: int) -> Sequence[QuantumCircuit]:
    """The block of the first case that the value is in, or of the default, which is equal to no number."""
    from qiskit.circuit import CASE_DEFAULT

    matching = (
        block for values, block in operation.cases_specifier() if value in values or CASE_DEFAULT in values
    )
    return tuple(islice(matching, 1))


def _loop(
    branch: _Branch,
    operation: Any,
    qubits: list[int],
    clbits: list[int],
    circuit: QuantumCircuit,
    rng: np.random.Generator,
) -> list[_Branch]:
    """Run a loop until no branch is left in it.

    Raises:
        ModelError: one still is after `LONGEST_LOOP` turns.
    """
    (body,) = operation.blocks
    bodies = turns(operation, body) if operation.name == "for_loop" else repeat(body, LONGEST_LOOP)
    inside, ended = [branch], []
    for turn in bodies:
        if operation.name == "while_loop":
            ended += [one for one in inside if not holds(operation.condition, one.bits, circuit)]
            inside = [one for one in inside if holds(operation.condition, one.bits, circuit)]
        if not inside:
            return ended
        after = [found for one in inside for found in _run_block(one, (turn,), qubits, clbits, rng)]
        ended += [replace(one, leaving="") for one in after if one.leaving == "break_loop"]
        inside = [replace(one, leaving="") for one in after if one.leaving != "break_loop"]
    if inside and operation.name == "while_loop":
        raise ModelError(f"a while_loop had not ended after {LONGEST_LOOP} turns")
    return ended + inside


def _run_block(
    branch: _Branch,
    blocks: Sequence[QuantumCircuit],
    qubits: list[int],
    clbits: list[int],
    rng: np.random.Generator,
) -> list[_Branch]:
    """Run a block of control flow on the outer bits that it was given; without a block nothing happens."""
    from qiskit import QuantumCircuit

    branches = [branch]
    for block in blocks:
        width = max((1 + c for c in clbits), default=0)
        outer = QuantumCircuit(int(np.log2(branch.state.dim)), width)
        outer.compose(block, qubits, clbits, inplace=True)
        for instruction in outer.data:
            if instruction.operation.name not in ("barrier", "delay"):
                branches = [after for b in branches for after in _step(b, outer, instruction, rng)]
    return branches


def _measure(branch: _Branch, qubit: int, rng: np.random.Generator) -> list[tuple[int, Any, int]]:
    """(outcome, collapsed state, shots) for each outcome that any of the branch's shots saw."""
    from qiskit.quantum_info import Statevector

    one = float(np.clip(branch.state.probabilities([qubit])[1], 0, 1))
    ones = int(rng.binomial(branch.shots, one))
    mask = (np.arange(branch.state.dim) >> qubit) & 1
    found = []
    for outcome, shots in ((0, branch.shots - ones), (1, ones)):
        if shots:
            data = np.where(mask == outcome, branch.state.data, 0)
            found.append((outcome, Statevector(data / np.linalg.norm(data)), shots))
    return found


def _flip(state: Any, qubit: int) -> Any:
    from qiskit.circuit.library import XGate

    return state.evolve(XGate(), [qubit])


def _draw_final(
    branch: _Branch, final: Sequence[tuple[int, int]], rng: np.random.Generator
) -> list[tuple[int, int]]:
    if not final:
        return [(branch.bits, branch.shots)]
    qubits = sorted({qubit for _, qubit in final})
    probabilities = np.clip(branch.state.probabilities(qubits), 0, None)
    drawn = rng.multinomial(branch.shots, probabilities / probabilities.sum())
    keep = branch.bits & ~sum(1 << clbit for clbit, _ in final)
    found = []
    for outcome in np.flatnonzero(drawn):
        value = {qubit: int(outcome) >> i & 1 for i, qubit in enumerate(qubits)}
        bits = keep | sum(value[qubit] << clbit for clbit, qubit in final)
        found.append((bits, int(drawn[outcome])))
    return found
