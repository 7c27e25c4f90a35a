"""What happened when a circuit was run: which way was taken, which ones were tried before, predicted and measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Story", "Tried"]


@dataclass(frozen=True, slots=True)
class Tried:
    """A way that was begun and given up: after ``seconds``, and why."""

    way: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Story:
    """One part of a circuit: ``qubits`` wide, run by ``way``; seconds predicted and measured, compiling included."""

    qubits: int
    way: str
    predicted_s: float
    seconds: float
    tried: tuple[Tried, ...] = ()

    def __str__(self) -> str:
        lost = "".join(f"; {t.way} given up after {t.seconds:.2g} s: {t.reason}" for t in self.tried)
        took = f"predicted {self.predicted_s:.2g} s, took {self.seconds:.2g} s"
        return f"{self.qubits} qubits by {self.way}: {took}{lost}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "qubits": self.qubits,
            "way": self.way,
            "predicted_s": self.predicted_s,
            "seconds": self.seconds,
            "tried": [{"way": t.way, "seconds": t.seconds, "reason": t.reason} for t in self.tried],
        }
