"""Options that several commands share, and how their text becomes values."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from hetero.errors import ArgumentError, UnknownNameError

if TYPE_CHECKING:
    from hetero.limits import Limits

__all__ = [
    "Allow",
    "Budget",
    "Deny",
    "LimitTexts",
    "ObjectiveName",
    "PathText",
    "PipelineName",
    "limit_numbers",
    "limits_of",
    "require_folder",
]

PipelineName: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME", help="A ready pipeline, or FILE.py:PIPELINE of your own.")
]
PathText: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="PATH", help="The input: a file, or a folder of them; else the sample."),
]
ObjectiveName: TypeAlias = Annotated[
    str,
    typer.Option(
        "--objective", metavar="WORD", help="latency, throughput, energy or cost.", show_default=True
    ),
]
LimitTexts: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="NAME=VALUE",
        help="An upper limit: latency_s (seconds), joules, dollars, error, memory_bytes; may be repeated.",
    ),
]
_WHICH = "this device, engine, vendor or supplier; may be repeated. Python functions stay."
Allow: TypeAlias = Annotated[
    list[str] | None, typer.Option("--allow", metavar="WORD", help=f"Use only {_WHICH}")
]
Deny: TypeAlias = Annotated[
    list[str] | None, typer.Option("--deny", metavar="WORD", help=f"Do without {_WHICH}")
]
Budget: TypeAlias = Annotated[
    float | None,
    typer.Option("--budget", metavar="SECONDS", help="For measuring and solving; else as long as it takes."),
]


def require_folder(path: Path | None) -> None:
    """Ask before the work, not after it, whether there is where its result is to be written.

    Raises:
        ArgumentError: there is no such folder, or a folder of that very name.
    """
    if path is not None and not path.parent.is_dir():
        raise ArgumentError(f"cannot write {path}: there is no folder {path.parent}")
    if path is not None and path.is_dir():
        raise ArgumentError(f"cannot write {path}: it is a folder")


def limit_numbers(texts: Sequence[str] | None) -> dict[str, float]:
    """``NAME=VALUE`` texts as numbers.

    >>> limit_numbers(["joules=2.5", "error=1e-3"])
    {'joules': 2.5, 'error': 0.001}
    """
    found: dict[str, float] = {}
    for text in texts or ():
        name, sign, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not sign or number != number:
            raise ArgumentError(f"--limit {text}: expected NAME=VALUE with a number, such as joules=2.5")
        if name in found:
            raise ArgumentError(f"--limit {name} was given twice")
        found[name] = number
    return found


def limits_of(texts: Sequence[str] | None) -> Limits:
    """The limits of a plan.

    Raises:
        UnknownNameError: a name that no limit has; lists them.
    """
    from hetero.limits import Limits

    numbers = limit_numbers(texts)
    known = [field.name for field in dataclasses.fields(Limits)]
    for name in numbers:
        if name not in known:
            raise UnknownNameError("limit", name, known)
    return Limits(**numbers)
