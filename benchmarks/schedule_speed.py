"""How fast the list schedule from arrays is, and how it grows.

    python benchmarks/schedule_speed.py [--largest 100000] [--csv out.csv]

Random layered graphs with three edges a task on 8 and 64 processors, compiled code warm; beside it the same
algorithm in NumPy. Prints the best of several runs.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hetero.schedule.dense import list_schedule

SIZES = ((1_000, 8), (10_000, 8), (10_000, 64), (100_000, 64), (1_000_000, 64))
COLUMNS = ("tasks", "processors", "edges", "seconds", "ns_per_cost", "numpy_seconds", "makespan")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--largest", type=int, default=100_000, help="most tasks (1000000 needs 2 GB)")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    list_schedule(*graph(10, 2))
    rows = [measure(tasks, processors) for tasks, processors in SIZES if tasks <= arguments.largest]
    if arguments.csv:
        with arguments.csv.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    return 0


def measure(tasks: int, processors: int) -> dict[str, float]:
    problem = graph(tasks, processors)
    seconds = best_of(lambda: list_schedule(*problem), 20 if tasks <= 10_000 else 3)
    numpy_seconds = best_of(lambda: with_numpy(*problem), 1) if tasks <= 10_000 else float("nan")
    row = {
        "tasks": tasks,
        "processors": processors,
        "edges": len(problem[1]),
        "seconds": seconds,
        "ns_per_cost": 1e9 * seconds / (tasks * processors),
        "numpy_seconds": numpy_seconds,
        "makespan": list_schedule(*problem).makespan_s,
    }
    print("  ".join(f"{name} {row[name]:.4g}" for name in COLUMNS), flush=True)
    return row


def best_of(run: Callable[[], object], times: int) -> float:
    results = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        results.append(time.perf_counter() - began)
    return min(results)


def graph(tasks: int, processors: int) -> tuple[np.ndarray, ...]:
    """Three edges to each task from earlier ones not far away; costs from 1 to 100; CCR about 1."""
    rng = np.random.default_rng(tasks)
    seconds = rng.uniform(1.0, 100.0, (tasks, processors))
    target = np.repeat(np.arange(1, tasks), 3)
    source = target - 1 - (rng.random(len(target)) * np.minimum(target, 1000)).astype(np.int64)
    nbytes = rng.uniform(1.0, 100.0, len(target))
    return (
        seconds,
        source,
        target,
        nbytes,
        np.zeros((processors, processors)),
        np.ones((processors, processors)),
    )


def with_numpy(
    seconds: np.ndarray,
    source: np.ndarray,
    target: np.ndarray,
    nbytes: np.ndarray,
    latency: np.ndarray,
    rate: np.ndarray,
) -> float:
    """The same schedule, one task at a time, all processors of a task at once."""
    tasks, processors = seconds.shape
    apart = ~np.eye(processors, dtype=bool)
    mean = latency[apart].mean() + nbytes * (1 / rate[apart]).mean()
    outgoing = np.split(
        np.argsort(source, kind="stable"), np.cumsum(np.bincount(source, minlength=tasks))[:-1]
    )
    incoming = np.split(
        np.argsort(target, kind="stable"), np.cumsum(np.bincount(target, minlength=tasks))[:-1]
    )
    rank = seconds.mean(axis=1)
    for task in range(tasks - 1, -1, -1):
        edges = outgoing[task]
        rank[task] += (mean[edges] + rank[target[edges]]).max(initial=0.0)
    home, end, free = np.zeros(tasks, dtype=int), np.zeros(tasks), np.zeros(processors)
    for task in np.argsort(-rank, kind="stable"):
        edges = incoming[task]
        before = home[source[edges]]
        delay = latency[before] + nbytes[edges, None] / rate[before]
        delay[np.arange(len(edges)), before] = 0.0
        ready = np.maximum(free, (end[source[edges], None] + delay).max(axis=0, initial=0.0))
        home[task] = np.argmin(ready + seconds[task])
        end[task] = free[home[task]] = (ready + seconds[task])[home[task]]
    return float(end.max())


if __name__ == "__main__":
    sys.exit(main())
