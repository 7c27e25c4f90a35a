"""Options of several doors: an item of several arguments (``stream``, ``calibrate=``), what becomes of errors, and what
is left to the planner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from hetero.errors import UnknownNameError

__all__ = ["Args", "Auto", "Errors", "args", "auto", "call_arguments", "errors_option"]

Errors: TypeAlias = Literal["raise", "return"]
"""What becomes of the error of one item among many: it ends them all, or stands in the place of its result."""


class Auto:
    """The type of ``ht.auto``."""

    def __repr__(self) -> str:
        return "auto"

    def __reduce__(self) -> str:  # stays one object through pickling
        return "auto"


auto = Auto()
"""In the place of a number: the planner is to choose it."""


@dataclass(frozen=True, slots=True, eq=False)
class Args:
    """The positional and named arguments of one call."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def __reduce__(self) -> tuple[Any, ...]:  # a mapping proxy does not pickle
        return _rebuild, (self.args, dict(self.kwargs))


def args(*positional: Any, **named: Any) -> Args:
    """One item with several arguments.

    >>> args(1, scale=2).kwargs["scale"]
    2
    """
    return Args(positional, MappingProxyType(named))


def call_arguments(item: Any) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """How a pipeline is called with an item: by its ``Args``, or with the item as the only argument.

    >>> call_arguments([1, 2])
    (([1, 2],), {})
    """
    return (item.args, item.kwargs) if isinstance(item, Args) else ((item,), {})


def errors_option(given: str) -> Errors:
    """The option ``errors=`` as it was given.

    Raises:
        UnknownNameError: it is something else.
    """
    if given == "raise":
        return "raise"
    if given == "return":
        return "return"
    raise UnknownNameError("way of errors=", str(given), get_args(Errors))


def _rebuild(positional: tuple[Any, ...], named: dict[str, Any]) -> Args:
    return args(*positional, **named)
