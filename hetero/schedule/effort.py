"""What one run of a solver may take, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass

from hetero.schedule.draft import Draft

__all__ = ["Effort", "Outcome"]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a solver may work: wall-clock seconds, or deterministic steps that a rerun repeats."""

    seconds: float
    deterministic: float | None = None
    seed: int = 0
    presolve: bool = True

    @property
    def workers(self) -> int:
        return 1 if self.deterministic is not None else 2


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """`draft` is None where nothing was found; `infeasible` means that this is proven."""

    draft: Draft | None
    bound: float
    infeasible: bool = False
