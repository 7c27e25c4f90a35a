"""Contestants in processes of their own, in alternating blocks: what the comparisons with other programs share.

A contestant is a command. It prints one line of JSON when it is ready (what there is to say about it), then answers
each line on its standard input, a number of runs and which task to run, with the seconds of each. In between it sleeps:
a thread pool that spins slows down whoever runs beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import csv_rows
import numpy as np

from hetero import detect
from hetero.show import seconds, text_table

PAUSE_S = 0.2
"""Between blocks: threads that spin have gone to sleep by then."""
TELLING = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
"""Features of a CPU that decide which engine and precision is fast."""


class Contestant:
    """A process that runs when it is told to."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.about: dict[str, Any] = self._answer()

    def block(self, runs: int, task: str = "") -> list[float]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{runs} {task}\n")
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


def serve(tasks: Mapping[str, Callable[[], object]], about: dict[str, Any]) -> None:
    """Be a contestant: each task is run once to warm up, ``about`` is said when ready."""
    for run in tasks.values():
        run()
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        runs, _, task = line.rstrip("\n").partition(" ")
        taken = []
        for _ in range(int(runs)):
            started = time.perf_counter()
            tasks[task]()
            taken.append(time.perf_counter() - started)
        print(json.dumps(taken), flush=True)


def compete(
    contestants: Sequence[Contestant], rounds: int, runs: int, task: str = ""
) -> dict[str, list[list[float]]]:
    """Seconds by contestant, round and run, in an order that rotates."""
    blocks: dict[str, list[list[float]]] = {one.name: [] for one in contestants}
    for number in range(rounds):
        shift = number % len(contestants)
        for one in [*contestants[shift:], *contestants[:shift]]:
            time.sleep(PAUSE_S)
            blocks[one.name].append(one.block(runs, task))
    return blocks


def rows(blocks: dict[str, list[list[float]]]) -> list[dict[str, Any]]:
    """A row a contestant: median, spread, and how many times the first one's time it takes.

    A ratio compares blocks of the same round, so that a machine that gets slower for a while does not decide.
    """
    first = next(iter(blocks.values()))
    found = []
    for name, own in blocks.items():
        every = np.array(own).ravel()
        ratios = [median(mine) / median(base) for mine, base in zip(own, first, strict=True)]
        low, high = np.percentile(ratios, (25, 75))
        found.append(
            {
                "contestant": name,
                "median_s": float(np.median(every)),
                "p99_s": float(np.percentile(every, 99)),
                "middle_half_s": float(np.subtract(*np.percentile(every, (75, 25)))),
                "times_hetero": median(ratios),
                "ratio_low": float(low),
                "ratio_high": float(high),
            }
        )
    return found


def cells(row: dict[str, Any]) -> list[str]:
    """A row as text."""
    return [
        row["contestant"],
        seconds(row["median_s"]),
        seconds(row["p99_s"]),
        f"± {seconds(row['middle_half_s'] / 2)}",
        f"{row['times_hetero']:.2f} ({row['ratio_low']:.2f} to {row['ratio_high']:.2f})",
    ]


HEADERS = ("contestant", "median", "p99", "spread", "times hetero's time (middle half of rounds)")


def table(found: Sequence[dict[str, Any]], more: Sequence[str] = ()) -> str:
    """The rows as text, with further columns by their names."""
    return text_table([*HEADERS, *more], [[*cells(row), *(str(row[name]) for name in more)] for row in found])


def machine() -> dict[str, Any]:
    """What a figure is worth nothing without: the processor, its cores, and the features that decide."""
    cpu = detect.cpu()
    features = " ".join(feature for feature in TELLING if feature in cpu.features)
    return {"cpu": cpu.model, "cores": cpu.cores, "features": features}


def headline(what: str) -> str:
    found = machine()
    return f"{what} on {found['cpu']}, {found['cores']} cores ({found['features']})"


def write_csv(path: Path | None, found: Sequence[dict[str, Any]]) -> None:
    """The rows with the machine's columns, where a path is given."""
    here = machine()
    csv_rows.write(path, [{**row, **here} for row in found])
