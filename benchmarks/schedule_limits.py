"""Problems too large to prove, under limits and with moldable tasks: how far from the best, and is the budget kept?

    python benchmarks/schedule_limits.py [--seeds 2] [--budget 10] [--csv out.csv]

`limited`: unrelated processors as in `schedule_random.py` whose options also take joules, 200 and 1,000 tasks x 8. The
limit on joules is 1.3 times the least that the tasks can take; that on seconds is 1.2 times the makespan of the list
schedule without limits. `moldable`: tasks on 1, 2, 4 or 8 cores of three processors, sped up by Amdahl's law. `list` is
the value at a budget of 0, where that keeps the limits, over the one found; `gap` is to the proven bound; `over` is
the seconds beyond the budget.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import csv_rows
import numpy as np
from schedule_random import random_problem

from hetero.errors import InfeasibleError
from hetero.schedule import Edge, Limits, Link, Option, Problem, Processor, Schedule, Task, solve

CORES = (8, 8, 16)
COLUMNS = ("family", "objective", "limit", "seed", "value", "bound", "gap", "list", "seconds", "method")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=2, help="problems for each family")
    parser.add_argument("--budget", type=float, default=10.0, help="seconds a problem")
    parser.add_argument("--most-tasks", type=int, default=1000, help="leave out larger problems")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    solve(random_problem("unrelated", 40, 4, 1.0, 0), budget_seconds=1.0)  # loads the solvers
    solve(moldable(40, 0), budget_seconds=1.0)
    rows: list[dict[str, object]] = []
    print(
        f"{'family':14} {'objective':10} {'limit':8} {'median gap':>10} {'worst':>7} {'list':>6} {'over s':>7}"
    )
    for family, tasks, objective, limited in cases():
        if tasks > arguments.most_tasks:
            continue
        found = [
            measure(family, tasks, objective, limited, s, arguments.budget) for s in range(arguments.seeds)
        ]
        rows += found
        gaps = [float(str(row["gap"])) for row in found]
        listed = [float(str(row["list"])) for row in found if row["list"] is not None]
        over = max(float(str(row["seconds"])) for row in found) - arguments.budget
        print(
            f"{family:14} {objective:10} {limited:8} {statistics.median(gaps):10.4f} {max(gaps):7.4f} "
            f"{statistics.median(listed) if listed else float('nan'):6.2f} {over:7.2f}",
            flush=True,
        )
    csv_rows.write(arguments.csv, rows, COLUMNS)
    return 0


def cases() -> Iterator[tuple[str, int, str, str]]:
    for tasks in (200, 1000):
        for objective, limited in (("latency", "joules"), ("energy", "seconds"), ("throughput", "joules")):
            yield f"limited {tasks}x8", tasks, objective, limited
    for tasks in (60, 150, 400):
        yield f"moldable {tasks}x3", tasks, "latency", "-"


def measure(
    family: str, tasks: int, objective: str, limited: str, seed: int, budget: float
) -> dict[str, object]:
    problem = moldable(tasks, seed) if limited == "-" else with_joules(tasks, seed)
    limits = Limits()
    if limited == "joules":
        limits = Limits(joules=1.3 * sum(min(o.joules for o in task.options) for task in problem.tasks))
    elif limited == "seconds":
        limits = Limits(seconds=1.2 * solve(problem, budget_seconds=0.0).makespan_s)
    try:
        listed: Schedule | None = solve(problem, objective=objective, limits=limits, budget_seconds=0.0)  # type: ignore[arg-type]
    except InfeasibleError:
        listed = None
    began = time.perf_counter()
    schedule = solve(problem, objective=objective, limits=limits, budget_seconds=budget)  # type: ignore[arg-type]
    return {
        "family": family,
        "objective": objective,
        "limit": limited,
        "seed": seed,
        "value": schedule.objective_value,
        "bound": schedule.lower_bound,
        "gap": 0.0 if schedule.proven_optimal else schedule.gap,
        "list": None if listed is None else listed.objective_value / schedule.objective_value,
        "seconds": round(time.perf_counter() - began, 3),
        "method": schedule.method,
    }


def with_joules(tasks: int, seed: int) -> Problem:
    """An unrelated problem on eight processors of 1 to 10 W, give or take half for each task."""
    problem = random_problem("unrelated", tasks, 8, 1.0, seed)
    rng = np.random.default_rng([seed, tasks])
    watts = {processor.name: float(rng.uniform(1.0, 10.0)) for processor in problem.processors}
    return replace(
        problem,
        tasks=tuple(
            replace(
                task,
                options=tuple(
                    replace(o, joules=o.seconds * watts[o.processor] * float(rng.uniform(0.5, 1.5)))
                    for o in task.options
                ),
            )
            for task in problem.tasks
        ),
    )


def moldable(tasks: int, seed: int) -> Problem:
    """A layered random graph whose tasks take 1 to 8 cores, 30% to 98% of each in parallel."""
    rng = np.random.default_rng([seed, tasks])
    layer = np.sort(rng.integers(0, max(1, round(tasks**0.5)), tasks))
    speed = rng.uniform(1.0, 3.0, len(CORES))
    names = [f"p{number}" for number in range(len(CORES))]
    made, edges = [], []
    for task in range(tasks):
        size, parallel = rng.uniform(10.0, 100.0), rng.uniform(0.3, 0.98)
        options = tuple(
            Option(
                names[p], float(size / speed[p] * rng.uniform(0.8, 1.2) * (1 - parallel + parallel / c)), c
            )
            for p in range(len(CORES))
            for c in (1, 2, 4, 8)
        )
        made.append(Task(f"t{task}", options))
        earlier = np.flatnonzero(layer < layer[task])
        count = min(len(earlier), int(rng.integers(1, 4)))
        edges += [
            Edge(f"t{source}", f"t{task}", float(rng.uniform(4.0, 36.0)))
            for source in rng.choice(earlier, count, replace=False)
        ]
    return Problem(
        tuple(Processor(name, cores) for name, cores in zip(names, CORES, strict=True)),
        tuple(made),
        tuple(edges),
        tuple(Link(a, b, 0.0, 1.0) for a in names for b in names if a != b),
    )


if __name__ == "__main__":
    sys.exit(main())
