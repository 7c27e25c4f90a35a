"""``hetero run``: plan if need be, run, show the results."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

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
)

__all__ = ["command"]


def command(
    name: PipelineName,
    path: PathText = None,
    plan_file: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="Run this saved plan instead of planning.")
    ] = None,
    objective: ObjectiveName = "latency",
    limit: LimitTexts = None,
    allow: Allow = None,
    deny: Deny = None,
    budget: Budget = None,
) -> None:
    """Run a pipeline on an input, and print its result."""
    import hetero as ht
    from hetero.commands.target import target
    from hetero.show import seconds

    limits = limits_of(limit)
    found = target(name)
    calls = found.calls(path)
    if plan_file is not None:
        plan = ht.load_plan(plan_file, found.pipeline)
    else:
        plan = found.plan(calls, objective=objective, limits=limits, allow=allow, deny=deny, budget_s=budget)
    predicted = seconds(plan.estimate.seconds)
    with plan:
        for number, call in enumerate(calls, 1):
            started = time.perf_counter()
            result = plan(*call)
            took_s = time.perf_counter() - started
            if len(calls) > 1:
                typer.echo(f"--- input {number} of {len(calls)}")
            typer.echo(found.show(result))
            cold = " (the first run, with loading the engines)" if number == 1 else ""
            typer.echo(f"{found.name}: {seconds(took_s)}{cold}; predicted when warm: {predicted}", err=True)
