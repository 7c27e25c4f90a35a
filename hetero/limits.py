"""What a plan may use at most."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import wraps
from typing import Any, TypeVar

from hetero.errors import ArgumentError, UnknownNameError

__all__ = ["DEFAULT_ERROR", "Limits"]

DEFAULT_ERROR = 1e-4
"""Relative L2 error that a plan may have where no limit is given: float32 engines stay under 3e-6, bf16 does not."""


_Values = TypeVar("_Values")


def _naming_its_fields(made: type[_Values]) -> type[_Values]:
    """Have a dataclass answer a name that it does not have with those that it has, where Python names none."""
    init: Any = made.__init__
    known = [field.name for field in fields(made)]  # type: ignore[arg-type]  # it is a dataclass

    @wraps(init)
    def named(self: _Values, *args: Any, **values: Any) -> None:
        for name in values.keys() - set(known):
            raise ArgumentError(f"{made.__name__}({name}=): {UnknownNameError('limit', name, known)}")
        init(self, *args, **values)

    made.__init__ = named  # type: ignore[assignment]
    return made


@_naming_its_fields
@dataclass(frozen=True, slots=True)
class Limits:
    """Upper limits of a plan for one request; None is no limit, but for ``error``, which is 1e-4 then.

    Raises:
        ArgumentError: a limit is negative or not a number, or there is none of that name; lists those that there are.

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
