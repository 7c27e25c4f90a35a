"""``hetero run``: plan if need be, run here or on a Ray cluster, show the results or write them to a file."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from collections.abc import Callable

    from hetero.commands.target import Target
    from hetero.plans import Plan

    MakePlan = Callable[[list[tuple[Any, ...]]], Plan]

__all__ = ["command"]


def command(
    name: PipelineName,
    path: PathText = None,
    plan_file: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="Run this saved plan instead of planning.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            metavar="FILE",
            help="Write the results here as they come, a JSON line each, whichever input is done first; "
            "run again, go on with what is missing.",
        ),
    ] = None,
    match: Annotated[
        str | None,
        typer.Option(
            "--match",
            metavar="PATTERN",
            help="With --results: the files of the folder to take, instead of those that the pipeline knows.",
        ),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            "--trace",
            metavar="FILE",
            help="Write what ran when, a line for each processor: open it in ui.perfetto.dev or chrome://tracing.",
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray", metavar="ADDRESS", help="Plan for this Ray cluster and run there; auto: this one."
        ),
    ] = None,
    objective: ObjectiveName = "latency",
    limit: LimitTexts = None,
    allow: Allow = None,
    deny: Deny = None,
    budget: Budget = None,
) -> None:
    """Run a pipeline on an input.

    Plans it first if no plan is given; prints the results, or writes them to a file.
    """
    import hetero as ht
    from hetero.commands.target import target
    from hetero.progress_bar import under_way

    limits = limits_of(limit)
    require_folder(results)
    require_folder(trace)
    found = target(name)

    def plan(calls: list[tuple[Any, ...]]) -> Plan:
        if plan_file is not None:
            # A plan for this machine is solved again for a cluster, so it need not be this machine's.
            local = ht.load_plan(plan_file, found.pipeline, replan=ray is not None)
        else:
            local = found.plan(
                calls, objective=objective, limits=limits, allow=allow, deny=deny, budget_s=budget
            )
        if ray is None:
            return local
        with under_way("planning for the cluster"):
            return local.on_ray(ray)

    if results is None:
        _show_each(found, found.calls(path), plan, trace)
        return
    if path is None:
        raise ArgumentError(f"--results {results}: which file or folder is to be read? name it after {name}")
    if _write_each(found, path, match, results, plan, trace):
        raise typer.Exit(1)


def _show_each(found: Target, calls: list[tuple[Any, ...]], plan_on: MakePlan, trace: Path | None) -> None:
    from hetero.progress_bar import under_way
    from hetero.show import seconds

    plan = plan_on(calls)
    predicted = f"predicted when warm, for the sample it was planned on: {seconds(plan.estimate.seconds)}"
    with plan, plan.session.traced(trace) if trace else nullcontext():
        for number, call in enumerate(calls, 1):
            started = time.perf_counter()
            with under_way("loading the engines" if number == 1 else f"input {number} of {len(calls)}"):
                result = plan(*call)
            took_s = time.perf_counter() - started
            if len(calls) > 1:
                typer.echo(f"--- input {number} of {len(calls)}")
            typer.echo(found.show(result))
            cold = " (the first run, with loading the engines)" if number == 1 else ""
            typer.echo(f"{found.name}: {seconds(took_s)}{cold}; {predicted}", err=True)


def _write_each(
    found: Target, path: str, match: str | None, results: Path, plan_on: MakePlan, trace: Path | None
) -> int:
    """How many inputs failed; the file says which and why."""
    import hetero as ht
    from hetero.run.batch import Progress, files_in, resume

    def report(progress: Progress) -> None:
        typer.echo(f"{found.name}: {progress}", err=True)

    items = files_in(
        path, lambda file: [ht.args(*call) for call in found.inputs(file)], match, found.suffixes
    )
    ended = resume(
        found.pipeline, items, results, lambda calls: plan_on([call.args for call in calls]), report, trace
    )
    if ended.failed:
        typer.echo(
            f'{found.name}: {ended.failed} failed, see "error" in {results}; run again, they are tried again',
            err=True,
        )
    return ended.failed
