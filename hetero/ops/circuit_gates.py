"""A circuit in the gates that an engine takes, by replacing others by what they are made of.

Qiskit's transpiler does this for any set of gates, at 40 to 250 milliseconds a circuit; following definitions takes a
few, and keeps gates that an engine has a pass of its own for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from hetero.ops.circuit_build import blocks_of, rebuilt

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["in_gates", "names_of"]

DEEPEST = 12
"""Gates within gates are followed so far."""


def in_gates(circuit: QuantumCircuit, names: Collection[str]) -> QuantumCircuit | None:
    """The circuit in instructions of these names, itself where it has no other, inside of control flow too; None
    where definitions do not lead there.

    >>> from qiskit import QuantumCircuit
    >>> circuit = QuantumCircuit(3)
    >>> _ = circuit.ccx(0, 1, 2)
    >>> set(in_gates(circuit, ("h", "t", "tdg", "cx")).count_ops()) == {"h", "t", "tdg", "cx"}
    True
    """
    own = circuit
    for _ in range(DEEPEST):
        foreign = {instruction.name for instruction in own.data}.difference(names)
        if not foreign:
            return _inside_too(own, names)
        own = own.decompose(gates_to_decompose=sorted(foreign))
    return None


def _inside_too(circuit: QuantumCircuit, names: Collection[str]) -> QuantumCircuit | None:
    """The same for what is inside its control flow, where `decompose` does not look."""
    changed = False
    own = []
    for instruction in circuit.data:
        blocks = blocks_of(instruction)
        inner = [in_gates(block, names) for block in blocks]
        if None in inner:
            return None
        if any(new is not old for new, old in zip(inner, blocks, strict=True)):
            instruction, changed = (
                instruction.replace(operation=instruction.operation.replace_blocks(inner)),
                True,
            )
        own.append(instruction)
    return rebuilt(circuit, own) if changed else circuit


def names_of(circuit: QuantumCircuit) -> Iterator[str]:
    """Names of all operations, those inside control flow too. (A control on 0 shows in the name: ``cx_o0``.)"""
    for instruction in circuit.data:
        yield instruction.name
        for block in blocks_of(instruction):
            yield from names_of(block)
