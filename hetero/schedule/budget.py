"""How much work a solve may do: by the clock, or in steps that a rerun repeats exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hetero.errors import ProblemError
from hetero.schedule.clock import now
from hetero.schedule.effort import Effort

__all__ = ["SECONDS_PER_STEP", "Budget"]

SECONDS_PER_STEP = 1e-3
"""Deterministic seconds (CP-SAT's unit, about one second of work) that one step stands for."""


@dataclass(slots=True)
class Budget:
    """Counts from the moment it is made. With `steps`, the clock is not looked at."""

    seconds: float
    steps: int | None
    seed: int
    began: float = field(default_factory=now)

    def __post_init__(self) -> None:
        if not self.seconds >= 0:
            raise ProblemError(f"budget is {self.seconds} seconds; it must be 0 or more")
        if self.steps is not None and self.steps < 0:
            raise ProblemError(f"steps is {self.steps}; it must be 0 or more")

    @property
    def left(self) -> float:
        """Seconds of the clock, or deterministic seconds, still to be used."""
        if self.steps is not None:
            return self.steps * SECONDS_PER_STEP
        return max(0.0, self.seconds - (now() - self.began))

    @property
    def until(self) -> float:
        """The moment of `clock.now()` at which the seconds are over; never, where steps are counted or none were given.

        Without seconds, all that takes no search is wanted.
        """
        return math.inf if self.steps is not None or self.seconds == 0 else self.began + self.seconds

    def part(self, share: float) -> Budget:
        """A budget of its own, of a part of what is left."""
        if self.steps is not None:
            return Budget(self.seconds, round(self.steps * share), self.seed)
        # Of time that is over nothing is left, which is not the same as none having been asked for; see `until`.
        return Budget(max(self.left * share, min(self.seconds, 1e-9)), None, self.seed)

    def effort(self, share: float = 1.0) -> Effort:
        """A part of what is left, for a solver."""
        if self.steps is not None:
            return Effort(seconds=float("inf"), deterministic=self.left * share, seed=self.seed)
        return Effort(seconds=self.left * share, seed=self.seed)
