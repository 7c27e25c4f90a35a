"""What one run of a solver may take."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Effort"]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a solver may work: wall-clock seconds, or deterministic steps that a rerun repeats."""

    seconds: float
    deterministic: float | None = None
    seed: int = 0

    @property
    def workers(self) -> int:
        return 1 if self.deterministic is not None else 2
