"""Neural networks on accelerators whose memory is tight: how much search gains over plain ways to place them.

    python benchmarks/schedule_memory.py [--budget 10] [--sample 6] [--plain 15] [--csv out.csv]

Graphs of 248 to 818 operators (`dnn_graphs.py`, seeds in CASES) on 5 to 12 accelerators and a CPU ten times slower. The
accelerators hold 1.01 to 1.3 times all weights between them; the CPU holds anything, or 1% to 10% of the weights. The
rivals of `memory_rivals.py` are HEFT that looks at memory, greedy first fit, and contiguous fill; `-` is a dead end.
`ratio` is hetero's makespan over the best rival's, `bound` is hetero's proven bound over the same: nobody can be under
it. With `--plain SECONDS`, the CP-SAT model alone gets so long too, without any schedule to start from.

The goal: 5% under the best rival, or proof that less is left.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import csv_rows
from dnn_graphs import Network, inception, mixture, problem, resnet, transformer
from memory_rivals import RIVALS

from hetero.schedule import Limits, Problem, solve
from hetero.schedule.arrays import to_arrays
from hetero.schedule.effort import Effort
from hetero.schedule.usable import usable_options


class Case(NamedTuple):
    """A graph, and a machine for it."""

    name: str
    graph: Callable[[], Network]
    accelerators: int
    room: float
    cpu_room: float | None = None
    kinds: tuple[float, ...] = (1.0,)


CASES = (
    Case("transformer-12", lambda: transformer(12, 4, 0), 6, 1.05),
    Case("transformer-12-tight", lambda: transformer(12, 4, 0), 6, 1.01, 0.01),
    Case("transformer-24-mixed", lambda: transformer(24, 4, 1), 8, 1.1, 0.05, (1.0, 0.5)),
    Case("transformer-24-tight", lambda: transformer(24, 4, 1), 8, 1.03, 0.02),
    Case("shared-layers-12", lambda: transformer(12, 4, 2, share=True), 5, 1.8),
    Case("shared-layers-12-tight", lambda: transformer(12, 4, 2, share=True), 5, 1.75, 0.02),
    Case("inception-14", lambda: inception(14, 3), 5, 1.3),
    Case("inception-14-tight", lambda: inception(14, 3), 5, 1.02, 0.02),
    Case("inception-30-mixed", lambda: inception(30, 4), 8, 1.05, 0.1, (1.0, 1.0, 0.5)),
    Case("resnet-24", lambda: resnet(24, 5), 6, 1.1),
    Case("resnet-60-tight", lambda: resnet(60, 6), 8, 1.02, 0.02),
    Case("mixture-8", lambda: mixture(8, 12, 7), 10, 1.05),
    Case("mixture-8-tight", lambda: mixture(8, 12, 7), 10, 1.02, 0.01),
    Case("mixture-12", lambda: mixture(12, 20, 8), 12, 1.1, 0.05),
    Case("mixture-12-mixed", lambda: mixture(12, 20, 8), 12, 1.05, None, (1.0, 0.7)),
)

COLUMNS = (
    "case",
    "operators",
    "accelerators",
    "room",
    *RIVALS,
    "hetero",
    "ratio",
    "bound_ratio",
    "proven",
    "seconds",
    "method",
    "plain_cp_sat",
)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--budget", type=float, default=10.0, help="seconds a problem, for hetero")
    parser.add_argument("--sample", type=int, help="only so many cases, spread over all")
    parser.add_argument("--plain", type=float, help="seconds a problem for the CP-SAT model alone")
    parser.add_argument("--csv", type=Path, help="write the rows here")
    arguments = parser.parse_args()
    step = 1 if arguments.sample is None else math.ceil(len(CASES) / arguments.sample)
    print(
        f"{'case':24} {'ops':>4} {'acc':>3} {'room':>5} "
        + " ".join(f"{name:>10}" for name in RIVALS)
        + f" {'hetero':>8} {'ratio':>7} {'bound':>7} {'proven':>6}  ms; {'plain CP-SAT' if arguments.plain else ''}"
    )
    rows = []
    for case in CASES[::step]:
        rows.append(measure(case, arguments.budget, arguments.plain))
        print_row(rows[-1])
    print_summary(rows)
    csv_rows.write(arguments.csv, rows, COLUMNS)
    return 1 if any(row["ratio"] is not None and row["ratio"] > 1 + 1e-9 for row in rows) else 0


def measure(case: Case, budget: float, plain: float | None) -> dict[str, Any]:
    given = problem(case.graph(), case.accelerators, case.room, kinds=case.kinds, cpu_room=case.cpu_room)
    rivals = {name: rival(given) for name, rival in RIVALS.items()}
    best = min((value for value in rivals.values() if value is not None), default=None)
    began = time.perf_counter()
    schedule = solve(given, budget_seconds=budget)
    return {
        "case": case.name,
        "operators": len(given.tasks),
        "accelerators": case.accelerators,
        "room": case.room,
        **rivals,
        "hetero": schedule.makespan_s,
        "ratio": None if best is None else schedule.makespan_s / best,
        "bound_ratio": None if best is None else schedule.lower_bound_s / best,
        "proven": schedule.proven_optimal,
        "seconds": round(time.perf_counter() - began, 2),
        "method": schedule.method,
        "plain_cp_sat": None if plain is None else plain_cp_sat(given, plain),
    }


def plain_cp_sat(given: Problem, seconds: float) -> float | None:
    """What the exact model finds in the time when nothing is known: a makespan, mostly none."""
    from hetero.schedule.exact import minimise_makespan
    from hetero.schedule.latency import worst_case

    arrays = to_arrays(given, usable_options(given, "latency", Limits()))
    outcome = minimise_makespan(
        arrays,
        Limits(),
        incumbent=None,
        horizon_s=worst_case(arrays),
        lower_s=0.0,
        effort=Effort(seconds),
    )
    return None if outcome.draft is None else outcome.draft.makespan_s


def print_row(row: dict[str, Any]) -> None:
    def milliseconds(value: float | None) -> str:
        return "-" if value is None else f"{1e3 * value:.2f}"

    def ratio(value: float | None) -> str:
        return "-" if value is None else f"{value:.4f}"

    print(
        f"{row['case']:24} {row['operators']:4} {row['accelerators']:3} {row['room']:5} "
        + " ".join(f"{milliseconds(row[name]):>10}" for name in RIVALS)
        + f" {milliseconds(row['hetero']):>8} {ratio(row['ratio']):>7} {ratio(row['bound_ratio']):>7} "
        f"{'yes' if row['proven'] else 'no':>6}  {row['method']}; {milliseconds(row['plain_cp_sat'])}",
        flush=True,
    )


def print_summary(rows: list[dict[str, Any]]) -> None:
    known = [row for row in rows if row["ratio"] is not None]
    won = sum(row["ratio"] <= 0.95 for row in known)
    closed = sum(row["ratio"] > 0.95 and row["bound_ratio"] > 0.95 for row in known)
    walls = {name: sum(row[name] is None for row in rows) for name in RIVALS}
    print(
        f"\n{len(rows)} cases: {won} at least 5% under the best rival, {closed} more where the bound leaves no 5%; "
        f"geometric mean of the ratio {statistics.geometric_mean(row['ratio'] for row in known):.4f}"
    )
    print(
        f"every rival at a dead end: {len(rows) - len(known)}; dead ends of "
        + ", ".join(f"{n} {c}" for n, c in walls.items())
    )


if __name__ == "__main__":
    sys.exit(main())
