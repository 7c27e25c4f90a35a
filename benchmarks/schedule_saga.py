"""Makespans beside SAGA's one-pass schedulers, on problems from SAGA's own generators.

    python benchmarks/schedule_saga.py [--budget 10] [--sample 12] [--csv out.csv] [--saga-python PATH]

Peers and problems come from `saga_peers.py`, which runs in an environment with anrg-saga 2.0.2: the one given, or one
that is made under build/. Each peer schedule is checked by `saga_check.py`; invalid ones are dropped and counted. A row
a problem: hetero's makespan over that of the best valid peer, hetero's bound over the same (below it nobody can come),
and whether hetero proved its schedule optimal. All problems take about 40 minutes.

The goals: never worse than the best valid peer; in the geometric mean at most 0.92 of it, at CCR 5 at most 0.85, or as
little as the proven bounds leave.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import csv_rows
from saga_check import makespan, why_invalid

from hetero.schedule import Edge, Link, Option, Problem, Processor, Task, solve

HOME = Path(__file__).parent
SAGA = "anrg-saga==2.0.2"
EQUAL = 1e-9  # relative: makespans closer than this are the same
COLUMNS = (
    "problem",
    "tasks",
    "best_peer",
    "by",
    "hetero",
    "ratio",
    "bound_ratio",
    "proven",
    "seconds",
    "method",
)


def main() -> int:
    arguments = parse()
    rows, dropped = [], Counter[str]()
    print(
        f"{'problem':24} {'tasks':>5} {'best peer':>11} {'by':12} {'hetero':>11} {'ratio':>7} {'bound':>7}  proven"
    )
    for case in cases(arguments):
        peers, reasons = valid_peers(case)
        dropped.update(reasons.keys())
        rows.append(measure(case, peers, arguments.budget))
        print_row(rows[-1])
    print_dropped(dropped, len(rows))
    print_summary(rows)
    csv_rows.write(arguments.csv, rows, [*COLUMNS, "family", "ccr", "nodes"])
    worse = [row["problem"] for row in rows if row["ratio"] > 1 + EQUAL]
    if worse:
        print(f"worse than the best peer: {', '.join(worse)}", file=sys.stderr)
    return 1 if worse else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--budget", type=float, default=10.0, help="seconds a problem, for hetero")
    parser.add_argument("--sample", type=int, help="only so many problems, from all families")
    parser.add_argument("--csv", type=Path, help="write the rows here")
    parser.add_argument("--saga-python", type=Path, help=f"an interpreter that has {SAGA}")
    parser.add_argument("--cases", type=Path, help="what saga_peers.py printed before, instead of running it")
    return parser.parse_args()


def cases(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Problems with the peers' schedules, drawn before the first is solved: neither disturbs the other."""
    if arguments.cases is not None:
        lines = arguments.cases.read_text(encoding="utf-8").splitlines()[: arguments.sample]
    else:
        python = arguments.saga_python or made_environment(HOME.parent / "build" / "saga")
        command = [str(python), str(HOME / "saga_peers.py")]
        if arguments.sample is not None:
            command += ["--sample", str(arguments.sample)]
        # SAGA iterates over sets of strings: without a fixed hash its schedules differ from run to run.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        lines = found.stdout.splitlines()
    yield from map(json.loads, lines)


def made_environment(folder: Path) -> Path:
    """An environment with SAGA; it must not share hetero's, since it brings its own versions of much."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", SAGA]
        subprocess.run([str(python), *install], check=True)
    return python


def valid_peers(case: dict[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
    """Makespans of the valid schedules, and why each other one is dropped, by scheduler."""
    makespans, reasons = {}, {}
    for scheduler, placed in case["schedules"].items():
        reason = placed if isinstance(placed, str) else why_invalid(case, placed)
        if reason is None:
            makespans[scheduler] = makespan(placed)
        else:
            reasons[scheduler] = reason
    return makespans, reasons


def as_problem(case: dict[str, Any]) -> Problem:
    speed = case["speed"]
    links = [(a, b, rate) for x, y, rate in case["link_speed"] for a, b in ((x, y), (y, x))]
    return Problem(
        processors=tuple(map(Processor, speed)),
        tasks=tuple(
            Task(name, tuple(Option(node, cost / rate) for node, rate in speed.items()))
            for name, cost in case["cost"].items()
        ),
        edges=tuple(Edge(source, target, size) for source, target, size in case["edges"]),
        links=tuple(Link(source, target, 0.0, rate) for source, target, rate in links),
    )


def measure(case: dict[str, Any], peers: dict[str, float], budget: float) -> dict[str, Any]:
    by = min(peers, key=peers.__getitem__)
    began = time.perf_counter()
    schedule = solve(as_problem(case), budget_seconds=budget)
    return {
        "problem": case["problem"],
        "tasks": len(case["cost"]),
        "best_peer": peers[by],
        "by": by.removesuffix("Scheduler"),
        "hetero": schedule.makespan_s,
        "ratio": schedule.makespan_s / peers[by],
        "bound_ratio": schedule.lower_bound_s / peers[by],
        "proven": schedule.proven_optimal,
        "seconds": round(time.perf_counter() - began, 2),
        "method": schedule.method,
        "family": case["family"],
        "ccr": case["ccr"],
        "nodes": case["nodes"],
    }


def print_row(row: dict[str, Any]) -> None:
    print(
        f"{row['problem']:24} {row['tasks']:5} {row['best_peer']:11.5g} {row['by']:12} {row['hetero']:11.5g} "
        f"{row['ratio']:7.4f} {row['bound_ratio']:7.4f}  {'yes' if row['proven'] else 'no':6} {row['method']}",
        flush=True,
    )


def print_dropped(dropped: Counter[str], problems: int) -> None:
    counts = ", ".join(f"{name.removesuffix('Scheduler')} {count}" for name, count in dropped.most_common())
    print(f"\ninvalid peer schedules, dropped, of {problems} by each scheduler: {counts or 'none'}")


def print_summary(rows: list[dict[str, Any]]) -> None:
    """By CCR and by family; `floor` is the geometric mean of the bounds: no scheduler can be under it."""
    print(
        f"\n{'group':12} {'problems':>8} {'geomean':>8} {'floor':>8} {'worst':>7} {'wins':>5} {'proven':>7}"
    )
    groups: dict[str, list[dict[str, Any]]] = {"all": rows}
    for row in rows:
        groups.setdefault(f"CCR {row['ccr']:g}", []).append(row)
    for row in rows:
        groups.setdefault(row["family"], []).append(row)
    for name, members in groups.items():
        ratios = [row["ratio"] for row in members]
        print(
            f"{name:12} {len(members):8} {geometric_mean(ratios):8.4f} "
            f"{geometric_mean(row['bound_ratio'] for row in members):8.4f} {max(ratios):7.4f} "
            f"{sum(ratio < 1 - EQUAL for ratio in ratios):5} {sum(row['proven'] for row in members):7}"
        )


if __name__ == "__main__":
    sys.exit(main())
