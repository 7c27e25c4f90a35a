"""``hetero profile``: measure a pipeline's options, and look after what was measured."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hetero.commands.options import Budget, PathText, require_folder
from hetero.errors import ArgumentError

if TYPE_CHECKING:
    from hetero.cost.store import ProfileStore
    from hetero.plans import Considered, Plan

__all__ = ["command"]

DAY_S = 24 * 3600.0
_INPUTS = 48
"""Characters of a node's inputs that a line has room for; `--export` writes them whole."""


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A ready pipeline, or FILE.py:PIPELINE.")
    ] = None,
    path: PathText = None,
    budget: Budget = None,
    show: Annotated[
        bool, typer.Option("--list", help="Show what is in the profile store, long inputs cut.")
    ] = False,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Write the store as JSON.")
    ] = None,
    take: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Take over what was exported elsewhere.")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Drop measurements of devices that are not here.")
    ] = False,
    older_than: Annotated[
        float | None,
        typer.Option("--older-than", metavar="DAYS", help="With --prune: drop older ones instead."),
    ] = None,
) -> None:
    """Measure a pipeline's options, or look after the store.

    Measurements are kept, so that the next plan takes a moment: list, export, import or prune them.
    """
    from hetero.cost.store import ProfileStore

    if name is None and not (show or export or take or prune):
        raise ArgumentError("profile: name a pipeline, or one of --list, --export, --import, --prune")
    if older_than is not None and not prune:
        raise ArgumentError("--older-than DAYS goes with --prune")
    if older_than is not None and not older_than >= 0:
        raise ArgumentError(f"--older-than {older_than:g}: expected a number of days >= 0")
    require_folder(export)
    with ProfileStore() as store:
        if take is not None:
            typer.echo(f"{store.import_(take)} measurements taken over from {take}", err=True)
        if prune:
            typer.echo(f"{_prune(store, older_than)} measurements dropped", err=True)
        if name is not None:
            _profile(store, name, path, budget)
        if export is not None:
            typer.echo(f"{store.export(export)} measurements written to {export}", err=True)
        if show:
            _list(store)


def _profile(store: ProfileStore, name: str, path: str | None, budget: float | None) -> None:
    from hetero.commands.target import target

    found = target(name)
    before = time.perf_counter()
    plan = found.plan(found.calls(path), budget_s=budget, store=store)
    took_s = time.perf_counter() - before
    _print_options(plan)
    typer.echo(f"{name} profiled in {took_s:.1f} s; kept in {store.path}", err=True)


def _print_options(plan: Plan) -> None:
    """Each node's options, the fastest first; the chosen one is marked."""
    from hetero.commands.tables import print_table

    rows = []
    for path, options in plan.options.items():
        ranked = sorted(
            options, key=lambda one: one.estimate.seconds if one.usable and one.estimate else float("inf")
        )
        for one in ranked:
            mark = "*" if plan.choices.get(path) == one.choice else ""
            rows.append((path, mark, one.choice.device, str(one.choice.variant), *_numbers(one)))
    headers = ("node", "", "device", "variant", "a request", "spread", "error", "known how")
    print_table(headers, rows, right=("a request", "spread", "error"))


def _numbers(option: Considered) -> tuple[str, str, str, str]:
    """Time, spread, error, and how they are known, or why the option is out. A guess has no spread and no error."""
    from hetero.show import seconds

    estimate = option.estimate
    if estimate is None:
        return "", "", "", option.reason
    source = estimate.sources.get("seconds", "")
    if source == "prior":
        return f"~{seconds(estimate.seconds)}", "", "", option.reason or source
    error = f"{estimate.error:.1e}" if estimate.error else "0"
    spread = f"±{seconds(estimate.spread.get('seconds', 0.0))}"
    return seconds(estimate.seconds), spread, error, option.reason or source


def _prune(store: ProfileStore, older_than: float | None) -> int:
    if older_than is not None:
        return store.prune(before=time.time() - older_than * DAY_S)
    from hetero.registry import detect_machine

    machine = detect_machine(teaching=True)
    here = {device.fingerprint(machine.processor(device.processor)) for device in machine.devices}
    return store.prune(keep_devices=here)


def _list(store: ProfileStore) -> None:
    from hetero.commands.tables import print_table
    from hetero.cost.correction import Corrections
    from hetero.show import cut, seconds

    corrections, rows = Corrections(store), []
    for row in store.rows():
        m, about = row.measurement, row.about
        age_days = max(0.0, time.time() - m.measured_at) / DAY_S
        error = "" if m.error is None else f"{m.error:.1e}"
        numbers = (
            seconds(m.seconds),
            f"±{seconds(m.spread_s)}",
            str(m.repetitions),
            error,
            f"{age_days:.1f}",
        )
        found = corrections.of(row.key, m)
        corrected = (
            f"{seconds(found.alone_s)} by {found.calls} calls of {found.origin!r} "
            f"({seconds(found.seconds)} ±{seconds(found.spread_s)} in runs)"
            if found
            else ""
        )
        rows.append(
            (about.op, about.device, row.key.variant, cut(row.key.specs, _INPUTS), *numbers, corrected)
        )
    headers = (
        "op", "device", "variant", "inputs", "one run", "spread", "runs", "error", "age, days", "corrected by runs",
    )  # fmt: skip
    print_table(headers, rows, right=("one run", "spread", "runs", "error", "age, days"))
    typer.echo(f"{len(rows)} measurements in {store.path}", err=True)
