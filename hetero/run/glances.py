"""What nodes are called with, looked at now and then, at no cost to the calls between.

Generated code finds the function of a node by a name in a dict. For one call another one stands under that name: it
notes the shapes, puts the old one back, and calls it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from hetero.cost.measurement import specs_text
from hetero.values import specs_of

__all__ = ["Glances"]

KEPT = 16


class Glances:
    """The shapes of the calls that were looked at, by the node's path, the latest ``KEPT`` of them as text."""

    def __init__(self) -> None:
        self._places: list[tuple[dict[str, Any], str, str]] = []
        self._seen: dict[str, deque[str]] = {}

    def watch(self, names: dict[str, Any], name: str, path: str) -> None:
        """Look also at what stands under this name; its first call is looked at."""
        self._places.append((names, name, path))
        self._seen.setdefault(path, deque(maxlen=KEPT))
        self._look_at(names, name, path)

    def look(self) -> None:
        """Look at the next call of every node."""
        for place in self._places:
            self._look_at(*place)

    def seen(self, path: str) -> tuple[str, ...]:
        return tuple(self._seen.get(path, ()))

    def _look_at(self, names: dict[str, Any], name: str, path: str) -> None:
        run = names[name]
        if isinstance(run, _Once):  # it has not been called since
            return
        names[name] = _Once(run, names, name, self._seen[path].append)


class _Once:
    """Stands in for a function until it is called. Two threads may both find it there; then both calls are noted."""

    def __init__(
        self, run: Callable[..., Any], names: dict[str, Any], name: str, note: Callable[[str], None]
    ) -> None:
        self._run, self._names, self._name, self._note = run, names, name, note

    def __call__(self, *inputs: Any) -> Any:
        self._names[self._name] = self._run
        self._note(specs_text(specs_of(inputs)))
        return self._run(*inputs)
