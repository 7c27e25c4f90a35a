"""``hetero report``: a plan as an HTML page."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hetero.commands.options import PathText, require_folder
from hetero.errors import ArgumentError

if TYPE_CHECKING:
    from hetero.commands.target import Target
    from hetero.plans import Plan

__all__ = ["command"]


def command(
    what: Annotated[
        str, typer.Argument(metavar="PLAN|NAME", help="A saved plan, a ready pipeline, or FILE.py:PIPELINE.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The page to write.")],
    path: PathText = None,
    pipeline: Annotated[
        str | None,
        typer.Option(
            "--pipeline", metavar="NAME", help="What a saved plan is of, where it is not a ready pipeline."
        ),
    ] = None,
    users: Annotated[
        str | None,
        typer.Option("--users", metavar="N,N,...", help="Closed loops of so many users; else 1, 2, 4, ..."),
    ] = None,
    rates: Annotated[
        str | None,
        typer.Option(
            "--rates",
            metavar="R,R,...",
            help="Open loops of so many arrivals a second; else shares of the most.",
        ),
    ] = None,
    load_s: Annotated[
        float, typer.Option("--load-seconds", metavar="SECONDS", help="Of each load.", show_default=True)
    ] = 1.0,
) -> None:
    """Draw a plan as one HTML page.

    The five figures, load, costs, schedule, placement, and what was considered. Runs the plan for some ten seconds.
    """
    from hetero.commands.target import target
    from hetero.progress_bar import under_way
    from hetero.report.page import observe, write_report

    require_folder(out)
    counts = _numbers("--users", users, whole=True)
    arrivals = _numbers("--rates", rates)
    if not load_s > 0:
        raise ArgumentError(f"--load-seconds {load_s}: expected a number of seconds above 0")

    saved = Path(what)
    if saved.suffix == ".json" or (pipeline is not None and saved.is_file()):
        found = target(pipeline or _name_in(saved))
        plan = _load(saved, found, path)
    else:
        found = target(what)
        plan = found.plan(found.calls(path))
    with plan:
        with under_way("running it, alone and under load"):
            seen = observe(
                plan, None if counts is None else [int(count) for count in counts], arrivals, load_s
            )
        try:
            write_report(plan, out, seen)
        except OSError as error:
            raise ArgumentError(f"cannot write {out}: {error.strerror or error}") from error
    if seen.curve is not None:
        for load in (*seen.curve.closed, *seen.curve.open):
            typer.echo(str(load))
    typer.echo(f"report written to {out}", err=True)


def _numbers(option: str, text: str | None, *, whole: bool = False) -> list[float] | None:
    """
    >>> _numbers("--users", "1,2,4", whole=True)
    [1.0, 2.0, 4.0]
    """
    if text is None:
        return None
    try:
        found = [float(word) for word in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(0 < number < math.inf and (not whole or number.is_integer()) for number in found):
        kind = "whole numbers" if whole else "numbers"
        raise ArgumentError(
            f"{option} {text}: expected positive {kind} with commas between them, such as 1,2,4"
        )
    return found


def _load(saved: Path, found: Target, path: str | None) -> Plan:
    """The saved plan with an input, which no file keeps: it is run for what is shown as measured."""
    import hetero as ht

    plan = ht.load_plan(saved, found.pipeline)
    return replace(plan, samples=(plan.graph.bind(found.calls(path)[0], {}),))


def _name_in(path: Path) -> str:
    """The name of the pipeline that a saved plan is of."""
    from hetero.graphs.catalog import NAMES

    try:
        name = json.loads(path.read_text("utf-8"))["graph"]["name"]
    except OSError as error:
        raise ArgumentError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ArgumentError(f"{path} is not a saved plan") from error
    if name not in NAMES:
        raise ArgumentError(
            f"{path} is a plan of {name!r}, which is no ready pipeline: say --pipeline FILE.py:PIPELINE"
        )
    return str(name)
