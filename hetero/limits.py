"""What a plan may use at most."""

from __future__ import annotations

from dataclasses import dataclass, fields

from hetero.errors import ArgumentError

__all__ = ["DEFAULT_ERROR", "Limits"]

DEFAULT_ERROR = 1e-4
"""Relative L2 error that a plan may have where no limit is given: float32 engines stay under 3e-6, bf16 does not."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper limits of a plan for one request; None is no limit, but for ``error``, which is 1e-4 then.

    Raises:
        ArgumentError: a limit is negative or not a number.

    >>> Limits(latency_s=0.1).effective_error
    0.0001
    """

    latency_s: float | None = None
    joules: float | None = None
    dollars: float | None = None
    error: float | None = None
    memory_bytes: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:  # NaN is not
                raise ArgumentError(
                    f"Limits({field.name}={value!r}): a limit is a number >= 0, or None for no limit"
                )

    @property
    def effective_error(self) -> float:
        return DEFAULT_ERROR if self.error is None else self.error

    def regardless_of_time(self) -> Limits:
        """Only those on what does not depend on how long anything takes."""
        return Limits(error=self.error, memory_bytes=self.memory_bytes)
