"""What one run of a solver may take, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass, field

from hetero.schedule.clock import now
from hetero.schedule.draft import Draft

__all__ = ["Effort", "Outcome"]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a solver may work: wall-clock seconds, or deterministic steps that a rerun repeats.

    The seconds count from the moment it is made, so that writing a model down is part of them.
    """

    seconds: float
    deterministic: float | None = None
    seed: int = 0
    presolve: bool = True
    began: float = field(default_factory=now)

    @property
    def left(self) -> float:
        """Seconds of the clock that are not over yet."""
        return max(0.0, self.seconds - (now() - self.began))

    @property
    def workers(self) -> int:
        return 1 if self.deterministic is not None else 2


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """`draft` is None where nothing was found; `infeasible` means that this is proven."""

    draft: Draft | None
    bound: float
    infeasible: bool = False
