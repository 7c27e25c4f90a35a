"""How long work tells its caller how far it is, without knowing how that is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

__all__ = ["Progress", "Steps", "silent"]


class Steps(Protocol):
    """Work of a known number of steps."""

    def advance(self, text: str) -> None:
        """One step begins; ``text`` says which."""
        ...


Progress: TypeAlias = Callable[[int], Steps]
"""Called with the number of steps before the first: a class ``Bar(total)`` with a method ``advance(text)`` is
one."""


class _Silent:
    def advance(self, text: str) -> None:
        pass


def silent(total: int) -> Steps:
    """Shows nothing."""
    return _Silent()
