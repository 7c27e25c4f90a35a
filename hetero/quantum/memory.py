"""What was worked out for a circuit before, as long as nobody has changed it since.

A variational loop or a kernel hands over the same circuit thousands of times. Qiskit's circuits can be changed and do
not say when they were, so a copy is kept and compared: that takes a tenth of understanding the circuit again.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from typing import Any

from qiskit import QuantumCircuit
from qiskit.primitives.containers import ObservablesArray

__all__ = ["notes_on", "observables_array"]

MOST_KEPT = 64
"""Circuits, and arrays of observables, that are remembered; notes on each circuit as well."""


class _Seen:
    """A circuit as it was, and what was noted about it."""

    def __init__(self, circuit: QuantumCircuit) -> None:
        self.circuit = weakref.ref(circuit)
        self.copy: Any = circuit.copy()
        self.notes: dict[Any, Any] = {}

    def is_still(self, circuit: QuantumCircuit) -> bool:
        copy: Any = self.copy
        return (
            id(self.circuit()) == id(circuit)
            and circuit.data == copy.data
            and circuit.qregs == copy.qregs
            and circuit.cregs == copy.cregs
            and circuit.global_phase == copy.global_phase
        )


_lock = threading.Lock()
_seen: OrderedDict[int, _Seen] = OrderedDict()
_observables: OrderedDict[Any, ObservablesArray] = OrderedDict()


def notes_on(circuit: QuantumCircuit) -> dict[Any, Any]:
    """A dictionary for whatever follows from the circuit alone: the same one until the circuit is changed."""
    with _lock:
        found = _seen.get(id(circuit))
        if found is None or not found.is_still(circuit):
            found = _seen[id(circuit)] = _Seen(circuit)
        _seen.move_to_end(id(circuit))
        while len(_seen) > MOST_KEPT:
            _seen.popitem(last=False)
        if len(found.notes) > MOST_KEPT:
            found.notes.clear()
        return found.notes


def observables_array(given: Any) -> Any:
    """Qiskit's array of observables that were given as strings, lists of lists of them; anything else as it is."""
    key = _frozen(given)
    if key is None:
        return given
    with _lock:
        found = _observables.get(key)
    if found is None:
        found = ObservablesArray.coerce(given)
        with _lock:
            _observables[key] = found
            while len(_observables) > MOST_KEPT:
                _observables.popitem(last=False)
    return found


def _frozen(given: Any) -> Any:
    """Strings and (nested) lists of them as a key; None where there is anything else."""
    if isinstance(given, str):
        return given
    if not isinstance(given, list | tuple) or not given:
        return None
    parts = tuple(_frozen(part) for part in given)
    return None if None in parts else parts
