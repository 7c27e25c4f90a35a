"""Several arguments as one item: what ``stream`` and ``calibrate=`` take where a pipeline has many inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

__all__ = ["Args", "args", "call_arguments"]


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


def _rebuild(positional: tuple[Any, ...], named: dict[str, Any]) -> Args:
    return args(*positional, **named)
