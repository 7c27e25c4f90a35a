"""``hetero plan``: decide, and say why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hetero.commands.options import (
    Allow,
    Budget,
    Deny,
    LimitTexts,
    ObjectiveName,
    PathText,
    PipelineName,
    limits_of,
    require_folder,
)
from hetero.errors import ArgumentError

if TYPE_CHECKING:
    from hetero.plans import Plan

__all__ = ["command", "save"]


def command(
    name: PipelineName,
    path: PathText = None,
    objective: ObjectiveName = "latency",
    limit: LimitTexts = None,
    allow: Allow = None,
    deny: Deny = None,
    budget: Budget = None,
    save_to: Annotated[Path | None, typer.Option("--save", metavar="FILE", help="Write the plan.")] = None,
) -> None:
    """Decide what runs where, and say why.

    Shows the plan's figures, each node's device and variant with what it won against, and the proven bound.
    """
    from hetero.commands.target import target

    limits = limits_of(limit)
    require_folder(save_to)
    found = target(name)
    plan = found.plan(
        found.calls(path), objective=objective, limits=limits, allow=allow, deny=deny, budget_s=budget
    )
    typer.echo(plan.explain())
    if save_to is not None:
        save(plan, save_to)


def save(plan: Plan, path: Path) -> None:
    """Write a plan.

    Raises:
        ArgumentError: the file cannot be written; an old one is intact.
    """
    try:
        plan.save(path)
    except OSError as error:
        raise ArgumentError(f"cannot write {path}: {error.strerror or error}") from error
    typer.echo(f"plan written to {path}", err=True)
