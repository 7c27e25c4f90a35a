"""``hetero report``: a plan as an HTML page."""

from __future__ import annotations

import json
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
        calls = [] if plan.samples else found.calls(None)
    else:
        found = target(what)
        calls = found.calls(None)
        plan = found.plan(calls)
    with plan:
        for call in calls[:1]:  # without a run there is nothing to show as measured
            plan(*call)
            plan.session.tracing = True
            plan(*call)
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
    import hetero as ht

    return ht.load_plan(path, found.pipeline)


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
