"""Loops of circuits: written out where their number is known, so that every method and reduction can take them."""

from __future__ import annotations

import copyreg
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hetero.ops.circuit_build import blocks_of

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["LEAVING", "LOOPS", "let_default_cases_travel", "turns", "unrolled"]

LEAVING = ("break_loop", "continue_loop")

LOOPS = ("for_loop", "while_loop", "switch_case", *LEAVING)
"""What is left is decided while it runs; only some methods know it."""

LONGEST = 100_000
"""Instructions that a loop is written out to at most: Aer runs longer ones as loops."""


def unrolled(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with its ``for_loop``s written out, those inside other control flow too.

    One that may be left early, or would become longer than `LONGEST`, stays a loop.

    >>> from qiskit import QuantumCircuit
    >>> circuit = QuantumCircuit(1)
    >>> with circuit.for_loop(range(3)) as turn:
    ...     _ = circuit.rx(turn * 0.5, 0)
    >>> unrolled(circuit).count_ops()["rx"]
    3
    """
    if not any(map(blocks_of, circuit.data)):
        return circuit
    own = circuit.copy_empty_like()
    for instruction in circuit.data:
        blocks = tuple(map(unrolled, blocks_of(instruction)))
        if instruction.name == "for_loop" and _can_unroll(instruction.operation, blocks[0]):
            for turn in turns(instruction.operation, blocks[0]):
                own.compose(turn, instruction.qubits, instruction.clbits, inplace=True)
        elif blocks:
            own._append(instruction.replace(operation=instruction.operation.replace_blocks(blocks)))
        else:
            own._append(instruction)
    return own


def _can_unroll(loop: Any, body: QuantumCircuit) -> bool:
    return len(loop.params[0]) * len(body.data) <= LONGEST and not _leaves(body)


def _leaves(body: QuantumCircuit) -> bool:
    """Whether a turn may end early: by what is not inside of a loop of its own."""
    return any(
        instruction.name in LEAVING
        or (instruction.name not in ("for_loop", "while_loop") and any(map(_leaves, blocks_of(instruction))))
        for instruction in body.data
    )


def turns(loop: Any, body: QuantumCircuit) -> Iterator[QuantumCircuit]:
    """The body of a ``for_loop`` for each value in turn."""
    values, parameter, _ = loop.params
    for value in values:
        known = parameter is not None and parameter in body.parameters
        yield body.assign_parameters({parameter: value}) if known else body


def let_default_cases_travel() -> None:
    """Have Qiskit's default case of a switch arrive as itself in other processes: it is known by its identity, which
    pickling loses, and the switch is refused there."""
    from qiskit.circuit import CASE_DEFAULT

    copyreg.pickle(type(CASE_DEFAULT), _without_content)


def _without_content(default: object) -> tuple[Any, tuple[()]]:
    return _default_case, ()


def _default_case() -> Any:
    from qiskit.circuit import CASE_DEFAULT

    return CASE_DEFAULT
