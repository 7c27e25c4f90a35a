"""The ready pipelines by name. A face is imported when it is asked for; its models are loaded when it is built."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from hetero.errors import UnknownNameError

if TYPE_CHECKING:
    from hetero.tracing import Pipeline

__all__ = ["NAMES", "ReadyPipeline", "ready"]

NAMES = ("ocr", "semantic_search", "quantum_kernel", "read_and_route")
"""Each is a module of this package whose face is a `ReadyPipeline`."""


class ReadyPipeline(Protocol):
    """What a module of a ready pipeline offers."""

    NAME: str
    SUMMARY: str
    SUFFIXES: tuple[str, ...]
    """How the files end that it takes from a folder, in small letters."""

    def build(self) -> Pipeline:
        """The pipeline; raises `MissingExtraError` where a package is missing."""
        ...

    def sample(self) -> tuple[Any, ...]:
        """The arguments of one call, on input that comes with the package."""
        ...

    def show(self, result: Any) -> str:
        """A result as text for a person."""
        ...

    def inputs(self, path: str | Path) -> Iterable[tuple[Any, ...]]:
        """The arguments of a call for each input that a person gives as a file or a folder."""
        ...


def ready(name: str) -> ReadyPipeline:
    """The ready pipeline of this name.

    Raises:
        UnknownNameError: there is none; lists those there are.

    >>> ready("ocr").NAME
    'ocr'
    """
    if name not in NAMES:
        raise UnknownNameError("ready pipeline", name, NAMES)
    return cast(ReadyPipeline, importlib.import_module(f"hetero.graphs.{name}"))
