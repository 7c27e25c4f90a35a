"""What a real processor's own description says of a circuit: whether it can run it, how long, how surely.

Read from Qiskit's ``Target``: which instructions there are on which qubits, their durations and calibration errors.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hetero.ops.circuit_gates import names_of

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["OnTarget", "objection", "on_target"]


@dataclass(frozen=True, slots=True)
class OnTarget:
    """``seconds`` of one shot, by the declared durations; ``error``: the probability that anything goes wrong in it, by
    the declared errors, as if they were independent. ``silent``: instructions of which the target declares nothing.
    """

    gates: int
    two_qubit_gates: int
    seconds: float
    error: float
    silent: tuple[str, ...]


def objection(circuit: QuantumCircuit, target: Any) -> str | None:
    """Why a processor cannot run a circuit even when it is translated; None where it may."""
    if target.num_qubits is not None and circuit.num_qubits > target.num_qubits:
        return f"the circuit has {circuit.num_qubits} qubits, the processor {target.num_qubits}"
    if "measure" not in names_of(circuit):
        return "it measures nothing"
    known = set(target.operation_names)
    for instruction in circuit.data:
        if instruction.is_control_flow() and instruction.name not in known:
            return f"the processor has no {instruction.name}; it has {', '.join(sorted(known))}"
    return None


def on_target(circuit: QuantumCircuit, target: Any) -> OnTarget:
    """Duration and error of a circuit in the target's own instructions, on its own qubits."""
    free_s: dict[Any, float] = defaultdict(float)
    right, gates, pairs = 1.0, 0, 0
    silent: set[str] = set()
    for instruction in circuit.data:
        name, bits = instruction.name, (*instruction.qubits, *instruction.clbits)
        start_s = max((free_s[bit] for bit in bits), default=0.0)
        if name in ("barrier", "delay"):
            free_s.update(dict.fromkeys(bits, start_s))
            continue
        known = _declared(target, name, tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits))
        error, seconds = getattr(known, "error", None), getattr(known, "duration", None)
        if error is None or seconds is None:
            silent.add(name)
        right *= 1.0 - min(error or 0.0, 1.0)
        free_s.update(dict.fromkeys(bits, start_s + (seconds or 0.0)))
        gates += name not in ("measure", "reset")
        pairs += len(instruction.qubits) == 2
    return OnTarget(gates, pairs, max(free_s.values(), default=0.0), 1.0 - right, tuple(sorted(silent)))


def _declared(target: Any, name: str, qubits: tuple[int, ...]) -> Any:
    """The properties of an instruction on these qubits; None where there are none."""
    if name not in target.operation_names:
        return None
    declared = target[name]
    return declared.get(qubits, declared.get(None)) if declared else None
