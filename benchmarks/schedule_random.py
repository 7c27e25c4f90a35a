"""Random task graphs with transfers: how many optima are proven, and how large the gaps are.

    python benchmarks/schedule_random.py [--seeds 5] [--budget 10] [--csv out.csv]

Families: `unrelated` (every cost drawn on its own, 20 to 60 tasks), `related` and `equal` processors on wide
sparse graphs (speeds from 1 to 4). Graphs have about sqrt(n) layers and in-degree 1 to 3; CCR is the mean
transfer time over the mean task time. Seeds count from 0.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import csv_rows
import numpy as np

from hetero.schedule import Edge, Link, Option, Problem, Processor, Task, solve

FAMILIES = {
    "unrelated 20x4": ("unrelated", 20, 4, (0.2, 1.0, 5.0)),
    "unrelated 30x4": ("unrelated", 30, 4, (0.2, 1.0, 5.0)),
    "unrelated 40x4": ("unrelated", 40, 4, (0.2, 1.0, 5.0)),
    "unrelated 60x8": ("unrelated", 60, 8, (0.2, 1.0, 5.0)),
    "related 40x4": ("related", 40, 4, (0.2, 1.0)),
    "equal 40x4": ("equal", 40, 4, (0.2, 1.0)),
}
COLUMNS = ("family", "ccr", "seed", "makespan", "bound", "gap", "proven", "seconds", "method")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, help="problems for each family and CCR")
    parser.add_argument("--budget", type=float, default=10.0, help="seconds a problem")
    parser.add_argument("--family", choices=FAMILIES, help="only this family")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    print(f"{'family':16} {'CCR':>4} {'proven':>8} {'median gap':>11} {'worst gap':>10} {'median s':>9}")
    for family, (kind, tasks, processors, ratios) in FAMILIES.items():
        if arguments.family not in (None, family):
            continue
        for ccr in ratios:
            found = [
                measure(
                    family, random_problem(kind, tasks, processors, ccr, seed), ccr, seed, arguments.budget
                )
                for seed in range(arguments.seeds)
            ]
            rows += found
            gaps = [float(str(row["gap"])) for row in found]
            print(
                f"{family:16} {ccr:4} {sum(bool(row['proven']) for row in found):4}/{len(found):<3} "
                f"{statistics.median(gaps):11.4f} {max(gaps):10.4f} "
                f"{statistics.median(float(str(row['seconds'])) for row in found):9.2f}",
                flush=True,
            )
    csv_rows.write(arguments.csv, rows, COLUMNS)
    return 0


def measure(family: str, problem: Problem, ccr: float, seed: int, budget: float) -> dict[str, object]:
    began = time.perf_counter()
    schedule = solve(problem, budget_seconds=budget)
    return {
        "family": family,
        "ccr": ccr,
        "seed": seed,
        "makespan": schedule.makespan_s,
        "bound": schedule.lower_bound_s,
        "gap": 0.0 if schedule.proven_optimal else schedule.gap,
        "proven": schedule.proven_optimal,
        "seconds": round(time.perf_counter() - began, 3),
        "method": schedule.method,
    }


def random_problem(kind: str, tasks: int, processors: int, ccr: float, seed: int) -> Problem:
    """One layered random graph; `kind` says how a task's times on the processors relate."""
    rng = np.random.default_rng([seed, tasks, processors, round(10 * ccr)])
    layer = np.sort(rng.integers(0, max(1, round(tasks**0.5)), tasks))
    speed = rng.uniform(1.0, 4.0, processors) if kind == "related" else np.ones(processors)
    size = rng.uniform(10.0, 100.0, tasks)
    seconds = rng.uniform(10.0, 100.0, (tasks, processors)) if kind == "unrelated" else size[:, None] / speed
    edges = []
    for task in range(tasks):
        earlier = np.flatnonzero(layer < layer[task])
        count = min(len(earlier), int(rng.integers(1, 4)))
        for source in rng.choice(earlier, count, replace=False):
            nbytes = float(rng.uniform(0.2, 1.8) * ccr * seconds.mean())
            edges.append(Edge(f"t{source}", f"t{task}", nbytes))
    names = [f"p{number}" for number in range(processors)]
    return Problem(
        processors=tuple(Processor(name) for name in names),
        tasks=tuple(
            Task(f"t{task}", tuple(Option(name, float(s)) for name, s in zip(names, row, strict=True)))
            for task, row in enumerate(seconds)
        ),
        edges=tuple(edges),
        links=tuple(Link(a, b, 0.0, 1.0) for a in names for b in names if a != b),
    )


if __name__ == "__main__":
    sys.exit(main())
