"""What `hetero schedule` does with a file, apart from the command line itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from hetero.files import write_atomically
from hetero.schedule.measures import chosen_options
from hetero.schedule.parse import limits_from_dict
from hetero.schedule.problem import Problem
from hetero.schedule.schedule import Objective, Schedule
from hetero.schedule.solve import solve

__all__ = ["load_problem", "run_file", "summary"]


def load_problem(path: str | Path) -> Problem:
    """Read a problem file. Raises `ProblemError` with one clear line if it is malformed."""
    return Problem.load(path)


def run_file(
    path: str | Path,
    objective: Objective = "latency",
    budget_seconds: float = 10.0,
    steps: int | None = None,
    seed: int = 0,
    limits: Mapping[str, float] | None = None,
    out: str | Path | None = None,
) -> str:
    """Solve the problem in a file, write the schedule as JSON to `out`, and return a readable summary.

    The file at `out` is replaced only once the whole schedule is written.
    """
    problem = load_problem(path)
    schedule = solve(
        problem,
        objective=objective,
        limits=limits_from_dict(limits or {}),
        budget_seconds=budget_seconds,
        steps=steps,
        seed=seed,
    )
    if out is not None:
        write_atomically(out, (json.dumps(schedule.to_dict(), indent=1) + "\n").encode())
    return summary(problem, schedule)


def summary(problem: Problem, schedule: Schedule) -> str:
    """A few lines for a terminal: the value, how good it provably is, and the work on each processor."""
    unit = {"latency": "s", "throughput": "s a query", "energy": "J", "cost": "$"}[schedule.objective]
    what = {"latency": "makespan", "throughput": "period", "energy": "energy", "cost": "cost"}[
        schedule.objective
    ]
    if schedule.proven_optimal:
        quality = "proven optimal"
    else:
        quality = f"the optimum is at most {schedule.gap:.2%} lower (bound {schedule.lower_bound:.6g} {unit})"
    lines = [f"{what} {schedule.objective_value:.6g} {unit}, {quality}; found by {schedule.method}"]
    if schedule.objective in (
        "energy",
        "cost",
    ):  # in steady state nothing starts at 0, so nothing ends either
        lines.append(f"makespan {schedule.makespan_s:.6g} s")
    chosen = chosen_options(problem, [placement.option for placement in schedule.tasks])
    for processor in problem.processors:
        here = [option for option in chosen if option.processor == processor.name]
        busy = sum(option.seconds * option.cores for option in here) / processor.cores
        tasks = "1 task" if len(here) == 1 else f"{len(here)} tasks"
        cores = "its core" if processor.cores == 1 else f"its {processor.cores} cores on average"
        lines.append(f"  {processor.name}: {tasks}, {cores} busy for {busy:.6g} s")
    return "\n".join(lines)
