"""``hetero schedule``: the scheduler alone, on a problem in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hetero.commands.options import LimitTexts, ObjectiveName, limit_numbers, require_folder
from hetero.errors import ArgumentError, ProblemError, UnknownNameError

__all__ = ["command"]


def command(
    problem: Annotated[Path, typer.Argument(metavar="PROBLEM.json", help="The scheduling problem.")],
    objective: ObjectiveName = "latency",
    budget: Annotated[float, typer.Option("--budget", metavar="SECONDS", help="Time for solving.")] = 10.0,
    steps: Annotated[
        int | None, typer.Option("--steps", help="A budget of search steps: makes a run repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the search's random choices.")] = 0,
    limit: LimitTexts = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the schedule as JSON.")
    ] = None,
) -> None:
    """Solve a scheduling problem from a file.

    Gives a schedule with a proven bound; status 2 where there is none.
    """
    from hetero.progress_bar import under_way
    from hetero.schedule.command import run_file
    from hetero.schedule.schedule import OBJECTIVES

    if objective not in OBJECTIVES:
        raise UnknownNameError("objective", objective, OBJECTIVES)
    require_folder(out)
    if not budget >= 0:
        raise ArgumentError(f"--budget {budget}: expected a number of seconds >= 0")
    try:
        with under_way(f"solving, at most {budget:g} s" if steps is None else f"solving in {steps} steps"):
            summary = run_file(problem, objective, budget, steps, seed, limit_numbers(limit), out)
    except OSError as error:
        raise ProblemError(f"cannot write {out}: {error.strerror or error}") from error
    typer.echo(summary)
