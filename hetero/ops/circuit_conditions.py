"""Conditions of a branch: whether they hold for given classical bits, and what they are as plain values.

Either ``(bit or register, value)``, or an expression of Qiskit's over bits and registers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["holds", "members", "plain_condition", "unknown_part", "value_of"]

_BINARY: Mapping[str, Callable[[Any, Any], Any]] = {
    "BIT_AND": operator.and_,
    "BIT_OR": operator.or_,
    "BIT_XOR": operator.xor,
    "LOGIC_AND": lambda a, b: bool(a and b),
    "LOGIC_OR": lambda a, b: bool(a or b),
    "EQUAL": operator.eq,
    "NOT_EQUAL": operator.ne,
    "LESS": operator.lt,
    "LESS_EQUAL": operator.le,
    "GREATER": operator.gt,
    "GREATER_EQUAL": operator.ge,
}


def holds(condition: Any, bits: int, circuit: QuantumCircuit) -> bool:
    """Whether a condition holds where the circuit's classical bits have this value (bit 0 lowest)."""
    if isinstance(condition, tuple):
        target, value = condition
        return value_of(target, bits, circuit) == int(value)
    return bool(_evaluate(condition, bits, circuit))


def unknown_part(condition: Any) -> str | None:
    """The name of what `holds` cannot evaluate in an expression; None where it can."""
    for part in _parts(condition):
        kind = type(part).__name__
        if kind == "Binary" and part.op.name not in _BINARY:
            return str(part.op.name)
        if kind == "Var" and not hasattr(part.var, "__len__") and not hasattr(part.var, "_register"):
            return f"variable {part.name}"
        if kind not in ("Var", "Value", "Cast", "Unary", "Binary"):
            return kind
    return None


def plain_condition(condition: Any, circuit: QuantumCircuit) -> Any:
    """A condition as lists, numbers and strings: equal ones mean the same."""
    if isinstance(condition, tuple):
        return members(condition[0], circuit), int(condition[1])
    found: list[Any] = []
    for part in _parts(condition):
        kind = type(part).__name__
        detail: Any = str(part.type)
        if kind == "Var":
            detail = members(part.var, circuit)
        elif kind == "Value":
            detail = int(part.value)
        elif kind in ("Unary", "Binary"):
            detail = part.op.name
        found.append([kind, detail])
    return found


def _evaluate(part: Any, bits: int, circuit: QuantumCircuit) -> Any:
    match type(part).__name__:
        case "Var":
            return value_of(part.var, bits, circuit)
        case "Value":
            return part.value
        case "Cast":
            inner = _evaluate(part.operand, bits, circuit)
            return bool(inner) if not hasattr(part.type, "width") else inner & ((1 << part.type.width) - 1)
        case "Unary":
            inner = _evaluate(part.operand, bits, circuit)
            if part.op.name == "LOGIC_NOT" or not hasattr(part.type, "width"):
                return not inner
            return ~inner & ((1 << part.type.width) - 1)
        case _:
            left, right = (_evaluate(side, bits, circuit) for side in (part.left, part.right))
            return _BINARY[part.op.name](left, right)


def _parts(part: Any) -> Iterator[Any]:
    """An expression's nodes, each before those inside."""
    yield part
    for name in ("operand", "left", "right"):
        if hasattr(part, name):
            yield from _parts(getattr(part, name))


def value_of(target: Any, bits: int, circuit: QuantumCircuit) -> int:
    """The number that a bit or register is where the circuit's classical bits have this value."""
    return sum((bits >> index & 1) << place for place, index in enumerate(members(target, circuit)))


def members(target: Any, circuit: QuantumCircuit) -> list[int]:
    """The places of a bit, or of a register's bits, in the circuit."""
    bits = list(target) if hasattr(target, "__len__") else [target]
    return [circuit.find_bit(bit).index for bit in bits]
