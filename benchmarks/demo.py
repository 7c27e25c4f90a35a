"""The demo pipeline under hetero's plan against single engines.

    python benchmarks/demo.py [--pipeline NAME] [--rounds 12] [--runs 4] [--csv FILE]

Contestants take turns in blocks of runs, in an order that rotates, each in a process of its own that sleeps while the
others run. A ratio compares a contestant's block with hetero's block of the same round, so that a machine that gets
slower for a while does not decide. Status 1 where hetero is more than 3 % slower than the best of the others.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from contestants import NAMES

from hetero import detect
from hetero.show import seconds, text_table

HOME = Path(__file__).parent
PAUSE_S = 0.2
"""Between blocks: threads that spin have gone to sleep by then."""
TOLERANCE = 1.03
TELLING = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


class Contestant:
    """A process that runs the pipeline when it is told to."""

    def __init__(self, name: str, pipeline: str) -> None:
        self.name = name
        command = [sys.executable, str(HOME / "contestants.py"), name, pipeline]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about: dict[str, Any] = self._answer()

    def block(self, runs: int) -> list[float]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{runs}\n")
        self._process.stdin.flush()
        found: list[float] = self._answer()
        return found

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with status {self._process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


def compete(contestants: list[Contestant], rounds: int, runs: int) -> dict[str, list[list[float]]]:
    """Seconds by contestant, round and run."""
    blocks: dict[str, list[list[float]]] = {one.name: [] for one in contestants}
    for number in range(rounds):
        shift = number % len(contestants)
        for one in contestants[shift:] + contestants[:shift]:
            time.sleep(PAUSE_S)
            blocks[one.name].append(one.block(runs))
    return blocks


def report(blocks: dict[str, list[list[float]]], predicted_s: float) -> list[dict[str, Any]]:
    """A row a contestant: median, spread, and how many times hetero's time it takes."""
    rows = []
    for name, own in blocks.items():
        every = np.array(own).ravel()
        ratios = [median(mine) / median(base) for mine, base in zip(own, blocks["hetero"], strict=True)]
        low, high = np.percentile(ratios, (25, 75))
        rows.append(
            {
                "contestant": name,
                "median_s": float(np.median(every)),
                "p99_s": float(np.percentile(every, 99)),
                "middle_half_s": float(np.subtract(*np.percentile(every, (75, 25)))),
                "times_hetero": median(ratios),
                "ratio_low": float(low),
                "ratio_high": float(high),
                "predicted_s": predicted_s if name == "hetero" else "",
            }
        )
    return rows


def print_rows(rows: list[dict[str, Any]]) -> None:
    cells = [
        [
            row["contestant"],
            seconds(row["median_s"]),
            seconds(row["p99_s"]),
            f"± {seconds(row['middle_half_s'] / 2)}",
            f"{row['times_hetero']:.2f} ({row['ratio_low']:.2f} to {row['ratio_high']:.2f})",
        ]
        for row in rows
    ]
    print(
        text_table(
            ["contestant", "median", "p99", "spread", "times hetero's time (middle half of rounds)"], cells
        )
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipeline", default="read_and_route")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--runs", type=int, default=4, help="in a block")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    cpu = detect.cpu()
    features = [feature for feature in TELLING if feature in cpu.features]
    print(f"{options.pipeline} on {cpu.model}, {cpu.cores} cores ({', '.join(features)})")
    with ExitStack() as opened:
        # Started one after the other: hetero measures while it plans.
        contestants = [opened.enter_context(closing(Contestant(name, options.pipeline))) for name in NAMES]
        blocks = compete(contestants, options.rounds, options.runs)
    rows = report(blocks, contestants[0].about["predicted_s"])
    print_rows(rows)
    best = min(rows[1:], key=lambda row: row["times_hetero"])
    own_s, predicted_s = rows[0]["median_s"], contestants[0].about["predicted_s"]
    print(
        f"hetero: predicted {seconds(predicted_s)}, measured {seconds(own_s)}, ratio {predicted_s / own_s:.2f}"
    )
    if options.csv is not None:
        options.csv.parent.mkdir(parents=True, exist_ok=True)
        with options.csv.open("w", newline="") as file:
            table = csv.DictWriter(file, [*rows[0], "pipeline", "cpu", "cores", "features"])
            table.writeheader()
            facts = {
                "pipeline": options.pipeline,
                "cpu": cpu.model,
                "cores": cpu.cores,
                "features": " ".join(features),
            }
            table.writerows({**row, **facts} for row in rows)
    slower = 1 / best["times_hetero"]
    verdict = "slower" if slower > 1 else "faster"
    print(
        f"hetero is {max(slower, 1 / slower):.2f} times {verdict} than the best of them, {best['contestant']}"
    )
    return 0 if slower <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
