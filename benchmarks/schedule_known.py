"""Published scheduling problems with known optima: how close, how well proven, how fast.

    python benchmarks/schedule_known.py FOLDER [--budget 10] [--family mk] [--every 1] [--csv out.csv]

FOLDER (or the environment variable HETERO_SCHEDULES) holds `problems/*.json` and `best_known.csv` with the
columns problem, family, lower_bound, best_known. Prints a row for each problem and a summary for each
family, and fails if any result contradicts what is known: a value below the optimum or a bound above it.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
import time
from collections import defaultdict
from pathlib import Path

import csv_rows

from hetero.schedule import Problem, solve

COLUMNS = (
    "problem",
    "family",
    "known_bound",
    "best_known",
    "makespan",
    "bound",
    "proven",
    "seconds",
    "method",
)


def main() -> int:
    arguments = parse()
    with (arguments.folder / "best_known.csv").open(newline="") as stream:
        known = [row for row in csv.DictReader(stream) if arguments.family in (None, row["family"])]
    rows = []
    for entry in known[:: arguments.every]:
        rows.append(measure(arguments.folder, entry, arguments.budget))
        print("  ".join(str(rows[-1][column]) for column in COLUMNS), flush=True)
    print_summary(rows)
    csv_rows.write(arguments.csv, rows, COLUMNS)
    wrong = [row["problem"] for row in rows if contradicts(row)]
    if wrong:
        print(f"contradicts what is known: {', '.join(map(str, wrong))}", file=sys.stderr)
    return 1 if wrong else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=os.environ.get("HETERO_SCHEDULES"))
    parser.add_argument("--budget", type=float, default=10.0, help="seconds a problem")
    parser.add_argument("--family", help="only this family")
    parser.add_argument("--every", type=int, default=1, help="only every n-th problem")
    parser.add_argument("--csv", type=Path, help="write the rows here")
    arguments = parser.parse_args()
    if arguments.folder is None:
        parser.error("name the folder of the problems, or set HETERO_SCHEDULES")
    arguments.folder = Path(arguments.folder)
    return arguments


def measure(folder: Path, entry: dict[str, str], budget: float) -> dict[str, object]:
    problem = Problem.load(folder / "problems" / f"{entry['problem']}.json")
    began = time.perf_counter()
    schedule = solve(problem, budget_seconds=budget)
    seconds = time.perf_counter() - began
    return {
        "problem": entry["problem"],
        "family": entry["family"],
        "known_bound": float(entry["lower_bound"]),
        "best_known": float(entry["best_known"]),
        "makespan": schedule.makespan_s,
        "bound": schedule.lower_bound_s,
        "proven": schedule.proven_optimal,
        "seconds": round(seconds, 3),
        "method": schedule.method,
    }


def contradicts(row: dict[str, object]) -> bool:
    makespan, bound = float(str(row["makespan"])), float(str(row["bound"]))
    return makespan < float(str(row["known_bound"])) * (1 - 1e-9) or bound > float(str(row["best_known"])) * (
        1 + 1e-9
    )


def print_summary(rows: list[dict[str, object]]) -> None:
    families: dict[str, list[dict[str, object]]] = defaultdict(list)
    for row in rows:
        families[str(row["family"])].append(row)
    print(
        f"\n{'family':14} {'problems':>8} {'at best':>8} {'geomean':>8} {'worst':>7} {'proven':>7} {'median s':>9}"
    )
    for family, members in families.items():
        ratios = sorted(float(str(row["makespan"])) / float(str(row["best_known"])) for row in members)
        seconds = sorted(float(str(row["seconds"])) for row in members)
        geomean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(
            f"{family:14} {len(members):8} {sum(ratio <= 1 + 1e-9 for ratio in ratios):8} {geomean:8.4f} "
            f"{ratios[-1]:7.4f} {sum(bool(row['proven']) for row in members):7} {seconds[len(seconds) // 2]:9.3f}"
        )


if __name__ == "__main__":
    sys.exit(main())
