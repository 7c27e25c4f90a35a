"""A circuit in the few words that all simulators share, and its content as plain values for hashing.

Gates outside Qiskit's standard library are replaced by what they are made of: simulators would otherwise disagree on
them (a Pauli evolution is its product formula to one and the exact exponential to another).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.errors import ModelError
from hetero.ops.circuit_build import blocks_of, places, rebuilt
from hetero.ops.circuit_conditions import members, plain_condition, unknown_part
from hetero.ops.circuit_gates import names_of
from hetero.ops.circuit_loops import LOOPS, unrolled

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["check_instructions", "content", "plain"]

NOT_GATES = frozenset({"measure", "reset", "barrier", "if_else", *LOOPS})
"""Allowed beside gates."""

_DEEPEST = 100
"""Definitions within definitions are followed so far; a gate that is defined by itself ends there."""


def plain(circuit: QuantumCircuit) -> QuantumCircuit:
    """A copy with standard gates, unitary matrices and `NOT_GATES`; what cannot be expanded stays as it is.

    Delays are dropped: nothing decays in an exact simulation. Loops over known values are written out.
    """
    own = unrolled(circuit.copy())
    for _ in range(_DEEPEST):
        names = {i.name for i in own.data if not i.is_standard_gate() and _is_composite(i.operation)}
        if not names:
            break
        own = own.decompose(gates_to_decompose=sorted(names))
    kept = (instruction for instruction in own.data if instruction.name != "delay")
    return rebuilt(
        own,
        (
            i.replace(operation=i.operation.replace_blocks(map(plain, blocks)))
            if (blocks := blocks_of(i))
            else i
            for i in kept
        ),
    )


def check_instructions(who: str, circuit: QuantumCircuit) -> None:
    """Raise ``ModelError`` for what no method can be asked, naming the instruction: also for an angle that is NaN."""
    from qiskit.circuit import Gate

    for index, instruction in enumerate(circuit.data):
        for value in instruction.params:
            if isinstance(value, float) and not math.isfinite(value):
                qubits = ", ".join(str(circuit.find_bit(qubit).index) for qubit in instruction.qubits)
                raise ModelError(
                    f"circuit {who!r}: instruction {index}, {instruction.name!r} on {qubits}, has the parameter "
                    f"{value}, not a finite number"
                )
        if instruction.is_standard_gate():
            continue
        operation = instruction.operation
        if blocks := blocks_of(instruction):
            _check_control_flow(who, operation)
            for block in blocks:
                check_instructions(who, block)
        elif operation.name not in NOT_GATES and not isinstance(operation, Gate):
            raise ModelError(
                f"circuit {who!r}: instruction {operation.name!r} is not supported{_by_aer(operation.name)}; allowed "
                f"are gates, {', '.join(sorted(NOT_GATES))}"
            )
        elif (
            isinstance(operation, Gate)
            and not _is_standard(operation)
            and not hasattr(operation, "__array__")
        ):
            raise ModelError(
                f"circuit {who!r}: gate {operation.name!r} has neither a definition nor a matrix: no simulator can "
                "run it"
            )


def _by_aer(name: str) -> str:
    """Who else runs an instruction that is Aer's own."""
    own = name.startswith(("save_", "set_")) or name in ("kraus", "superop", "quantum_channel", "roerror")
    return " (qiskit_aer's AerSimulator by itself runs it)" if own else " by any simulator here"


def _check_control_flow(who: str, operation: Any) -> None:
    """Raise ``ModelError`` for what it cannot be decided by, and for a loop that would never end."""
    condition = getattr(operation, "condition", ())
    unknown = None if isinstance(condition, tuple) else unknown_part(condition)
    if unknown is not None:
        raise ModelError(
            f"circuit {who!r}: {operation.name} on an expression with {unknown} is not supported; "
            "use bits, registers, numbers, logic and comparisons"
        )
    if operation.name == "switch_case" and hasattr(operation.target, "type"):
        raise ModelError(
            f"circuit {who!r}: switch_case on an expression is not supported; "
            "switch on a bit or register, or use if_test"
        )
    if operation.name == "while_loop":
        (body,) = operation.blocks
        if not {"measure", "break_loop"}.intersection(names_of(body)):
            raise ModelError(
                f"circuit {who!r}: a while_loop whose body measures nothing and has no break_loop never ends once begun"
            )


def content(circuit: QuantumCircuit) -> list[Any]:
    """All that decides what a plain circuit does, as plain values: QPY's bytes differ between versions."""
    qubits, clbits = places(circuit), {clbit: index for index, clbit in enumerate(circuit.clbits)}
    gates: list[str] = []
    others: list[Any] = []
    for index, instruction in enumerate(circuit.data):
        where = [qubits[qubit] for qubit in instruction.qubits]
        if (
            instruction.is_standard_gate()
        ):  # a line of text each: hashing nested lists takes longer than simulating
            gates.append(f"{index} {instruction.name} {list(map(_number, instruction.params))} {where}")
        else:
            own = _operation(instruction.operation, circuit)
            others.append((index, own, where, [clbits[clbit] for clbit in instruction.clbits]))
    return [circuit.num_qubits, circuit.num_clbits, _number(circuit.global_phase), "\n".join(gates), others]


def _is_standard(operation: Any) -> bool:
    """Of Qiskit's standard library: everything knows it by its name and parameters."""
    base = getattr(operation, "base_class", type(operation))
    return str(base.__module__).startswith("qiskit.circuit.library.standard_gates")


def _is_composite(operation: Any) -> bool:
    if operation.name in NOT_GATES or operation.name in ("delay", "unitary") or _is_standard(operation):
        return False
    return getattr(operation, "definition", None) is not None


def _operation(operation: Any, circuit: QuantumCircuit) -> list[Any]:
    blocks = getattr(operation, "blocks", ())
    if blocks:
        return [operation.name, _deciding(operation, circuit), [content(block) for block in blocks]]
    # A gate that is known by its matrix alone may have any name.
    matrix = None if _is_standard(operation) or operation.name in NOT_GATES else np.asarray(operation)
    return [
        operation.name,
        operation.num_qubits,
        getattr(operation, "ctrl_state", None),
        [_number(p) for p in operation.params],
        matrix,
    ]


def _deciding(operation: Any, circuit: QuantumCircuit) -> Any:
    """What control flow goes by, as plain values."""
    match operation.name:
        case "for_loop":
            values, parameter, _ = operation.params
            return [list(values), str(parameter)]
        case "switch_case":
            labels = [[str(value) for value in values] for values, _ in operation.cases_specifier()]
            return [members(operation.target, circuit), labels]
        case _:
            return plain_condition(operation.condition, circuit)


def _number(value: Any) -> Any:
    """A gate's parameter as a plain value: a number, a matrix, or an expression written out in full."""
    if isinstance(value, np.ndarray):
        return value
    return complex(value) if isinstance(value, int | float | complex | np.number) else str(value)
