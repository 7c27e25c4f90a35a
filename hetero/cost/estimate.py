"""What is predicted of an option or a plan, and where each number came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

__all__ = ["Estimate", "Source"]

Source: TypeAlias = Literal["measured", "corrected by runs", "modelled", "declared", "prior"]
"""``measured`` on this machine; ``corrected by runs``: measured, and since then found otherwise by the running median
of a plan's calls; ``modelled`` by a named formula from measured or declared numbers; ``declared`` by a
person or a data sheet; ``prior``: a roofline guess that nothing here has confirmed yet."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Predictions as floats; ``spread`` and ``sources`` have an entry for each of them.

    ``seconds`` is the median of one warm run. ``period_s`` is the time between results at best: of requests that are in
    flight together and never stop, or one after the other where side by side they only get in each other's way; so it
    is never more than ``seconds``.
    ``error`` the largest relative L2 difference of an output from the reference, ``memory_bytes`` what stays resident.
    ``spread`` is half the width of the interval that holds the middle half of the values (same unit).
    """

    seconds: float
    joules: float = 0.0
    dollars: float = 0.0
    error: float = 0.0
    memory_bytes: float = 0.0
    period_s: float | None = None
    spread: Mapping[str, float] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)

    def scaled(self, factor: float) -> Estimate:
        """Of work that takes so many times as long, and as much energy and rent with it."""
        return replace(
            self, seconds=self.seconds * factor, joules=self.joules * factor, dollars=self.dollars * factor
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "seconds": self.seconds,
            "joules": self.joules,
            "dollars": self.dollars,
            "error": self.error,
            "memory_bytes": self.memory_bytes,
            "period_s": self.period_s,
            "spread": dict(self.spread),
            "sources": dict(self.sources),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Estimate:
        return cls(**data)
