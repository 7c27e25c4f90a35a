"""How fast the list schedule from arrays is, how it grows, and how much memory it takes.

    python benchmarks/schedule_speed.py [--largest 1000000] [--saga-python PATH] [--csv out.csv] [--plot out.svg]

Random layered graphs with three edges a task, compiled code warm; the best of several runs. Beside it, in the same run,
the same algorithm in NumPy, and with `--saga-python` (an interpreter that has anrg-saga 2.0.2) SAGA's HEFT on a graph
of the same kind. `memory` is what a process that does nothing else holds at most, inputs and results included, over
the bytes of its matrix of costs; with 8 processors the edges take more than that. `first_call` is a fresh process from
its start to its first schedule, inputs drawn and compiled code loaded from disk.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import csv_rows
import log_plot
import numpy as np

SIZES = ((1_000, 8), (10_000, 8), (100_000, 8), (10_000, 64), (100_000, 64), (1_000_000, 64))
COLUMNS = (
    "tasks",
    "processors",
    "edges",
    "seconds",
    "ns_per_cost",
    "numpy_seconds",
    "saga_heft_seconds",
    "memory",
    "first_call",
    "makespan",
)
NUMPY_UP_TO = 100_000
SAGA_UP_TO = 8_000  # costs: SAGA's HEFT grows with the square of the tasks
STATUS = Path("/proc/self/status")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--largest", type=int, default=1_000_000, help="most tasks (1000000 needs 2 GB)")
    parser.add_argument("--saga-python", type=Path, help="run SAGA's HEFT too, with this interpreter")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--plot", type=Path, help="draw seconds over tasks as SVG")
    parser.add_argument("--once", type=int, nargs=2, metavar=("TASKS", "PROCESSORS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        print(peak_over_costs(*arguments.once), time.time())
        return 0
    from hetero.schedule.dense import list_schedule

    list_schedule(*graph(10, 2))
    sizes = [size for size in SIZES if size[0] <= arguments.largest]
    rows = [measure(*size, arguments.saga_python) for size in sizes]
    csv_rows.write(arguments.csv, rows, COLUMNS)
    if arguments.plot:
        draw(rows, arguments.plot)
    return 0


def measure(tasks: int, processors: int, saga_python: Path | None) -> dict[str, float]:
    from hetero.schedule.dense import list_schedule

    problem = graph(tasks, processors)
    seconds = best_of(lambda: list_schedule(*problem), 20 if tasks <= 10_000 else 3)
    numpy_seconds = saga_seconds = float("nan")
    if tasks <= NUMPY_UP_TO:
        numpy_seconds = best_of(lambda: with_numpy(*problem), 3 if tasks <= 1_000 else 1)
    if saga_python is not None and tasks * processors <= SAGA_UP_TO:
        command = [str(saga_python), str(Path(__file__).with_name("saga_peers.py")), "--heft"]
        saga_seconds = float(subprocess.check_output([*command, str(tasks), str(processors)], text=True))
    memory, first_call = alone(tasks, processors)
    row = {
        "tasks": tasks,
        "processors": processors,
        "edges": len(problem[1]),
        "seconds": seconds,
        "ns_per_cost": 1e9 * seconds / (tasks * processors),
        "numpy_seconds": numpy_seconds,
        "saga_heft_seconds": saga_seconds,
        "memory": memory,
        "first_call": first_call,
        "makespan": list_schedule(*problem).makespan_s,
    }
    print("  ".join(f"{name} {row[name]:.4g}" for name in COLUMNS), flush=True)
    return row


def alone(tasks: int, processors: int) -> tuple[float, float]:
    """Peak memory over the costs, and seconds until the schedule was there, of a process of its own."""
    began = time.time()
    command = [sys.executable, __file__, "--once", str(tasks), str(processors)]
    memory, done = subprocess.check_output(command, text=True).split()
    return float(memory), float(done) - began


def peak_over_costs(tasks: int, processors: int) -> float:
    """Of this process, from before there were inputs; what loading and imports take is not counted. Linux only."""
    from hetero.schedule.dense import list_schedule

    list_schedule(*graph(10, 2))
    before = status_kb("VmRSS")
    problem = graph(tasks, processors)
    if STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far, that of drawing the inputs
    list_schedule(*problem)
    return (status_kb("VmHWM") - before) * 1024 / problem[0].nbytes


def status_kb(name: str) -> float:
    if not STATUS.exists():
        return float("nan")
    lines = STATUS.read_text(encoding="utf-8").splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def draw(rows: list[dict[str, float]], path: Path) -> None:
    """Seconds over tasks, a panel for each number of processors."""
    panels = {}
    names = {"seconds": "hetero", "numpy_seconds": "NumPy", "saga_heft_seconds": "SAGA HEFT"}
    for processors in dict.fromkeys(int(row["processors"]) for row in rows):
        here = [row for row in rows if row["processors"] == processors]
        lines = {
            label: [(row["tasks"], row[column]) for row in here if row[column] == row[column]]
            for column, label in names.items()
        }
        panels[f"{processors} processors"] = {label: points for label, points in lines.items() if points}
    log_plot.save(path, panels, "tasks", "seconds", "python benchmarks/schedule_speed.py --plot")


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
