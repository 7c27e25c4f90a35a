"""Reaching the parts of lists, tuples and dicts that users put values into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["each_part"]


def each_part(function: Callable[[Any], Any], value: Any) -> Any:
    """The same container with ``function`` of each part that is no container itself.

    >>> each_part(abs, [-1, (-2, {"a": -3})])
    [1, (2, {'a': 3})]
    """
    if isinstance(value, list):
        return [each_part(function, item) for item in value]
    if type(value) is tuple:  # a named tuple is a user's value
        return tuple(each_part(function, item) for item in value)
    if isinstance(value, dict):
        return {key: each_part(function, item) for key, item in value.items()}
    return function(value)
