"""``hetero report``: a plan as an HTML page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hetero.errors import ArgumentError

if TYPE_CHECKING:
    from hetero.commands.target import Target
    from hetero.plans import Plan

__all__ = ["command", "write"]


def command(
    what: Annotated[
        str, typer.Argument(metavar="PLAN|NAME", help="A saved plan, a ready pipeline, or FILE.py:PIPELINE.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The page to write.")],
    pipeline: Annotated[
        str | None,
        typer.Option(
            "--pipeline", metavar="NAME", help="What a saved plan is of, where it is not a ready pipeline."
        ),
    ] = None,
) -> None:
    """Write a report: Gantt charts, placement, what was considered, the five figures."""
    from hetero.commands.target import target

    saved = Path(what)
    if saved.suffix == ".json" or (pipeline is not None and saved.is_file()):
        found = target(pipeline or _name_in(saved))
        plan = _load(saved, found)
    else:
        found = target(what)
        plan = found.plan(found.calls(None))
    with plan:
        write(plan, out)


def write(plan: Plan, path: Path) -> None:
    """Write the page.

    Raises:
        ArgumentError: the file cannot be written; an old one is intact.
    """
    try:
        plan.report(path)
    except OSError as error:
        raise ArgumentError(f"cannot write {path}: {error.strerror or error}") from error
    typer.echo(f"report written to {path}", err=True)


def _load(path: Path, found: Target) -> Plan:
    """The saved plan with the pipeline's sample, which no file keeps: it is run for what is shown as measured."""
    import hetero as ht

    plan = ht.load_plan(path, found.pipeline)
    return replace(plan, samples=(plan.graph.bind(found.calls(None)[0], {}),))


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
