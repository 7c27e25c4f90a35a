"""Two models side by side against one after the other: python benchmarks/side_by_side.py [--engines all] [--csv FILE]

Each pair of trained models is one pipeline of two nodes that know nothing of each other. Three ways to run it take
turns:

- *in turn*: the best plan of each model alone, on all cores, one call after the other;
- *planned*: what the planner makes of the pair, and whether it lets the two overlap;
- *at once*: both at the same time on half of the cores each, by hand, whether or not that pays.

Measured from an empty profile store, with ONNX Runtime alone and with all engines. Fails where a plan that lets the
models overlap is slower than in turn, where one that does not is slower than at once, or where no plan gains 1.3x.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import csv_rows
import numpy as np

import hetero as ht
from hetero.detect import cpu
from hetero.machine import Machine
from hetero.show import seconds, text_table
from hetero.tracing import Callee

ROUNDS, BLOCK_S, PAUSE_S = 7, 0.2, 0.05
"""Blocks of a way; how long one is, and the pause after it: threads that spin have gone to sleep by then."""
GAIN = 1.3
NOISE = 1.05
ENGINES = {"onnxruntime": ["onnxruntime"], "all": None}


@dataclass(frozen=True)
class Load:
    """A model and the inputs of a call."""

    model: Callee
    args: tuple[Any, ...]


def pairs() -> dict[str, tuple[Load, Load]]:
    """By name: equal and unequal ones, of models that gain much by more threads and of such that gain little."""
    from compositions import classify, detect, encode, line_crops, recognise

    from hetero.graphs import minilm
    from hetero.graphs.images import scanned_page
    from hetero.graphs.ocr_detection import detector_input
    from hetero.graphs.ocr_recognition import CLASSIFIER_WIDTH, line_input
    from hetero.graphs.sentences import SENTENCES

    crops = line_crops(8)
    page = Load(detect(), (detector_input(scanned_page()),))
    crop = Load(classify(), (line_input(crops[0], CLASSIFIER_WIDTH),))
    line = Load(recognise(), (line_input(crops[0], 320),))
    lines = Load(recognise(), (np.concatenate([line_input(crops[i], 1200) for i in range(6)]),))
    texts = Load(encode(), minilm.tokenise(list(SENTENCES[:16])))
    return {
        "two pages": (page, page),
        "page, six lines": (page, lines),
        "two crops": (crop, crop),
        "two lines": (line, line),
        "six lines, 16 sentences": (lines, texts),
        "page, crop": (page, crop),
    }


def pipeline_of(a: Load, b: Load) -> Any:
    """Both models in one pipeline. The first of a pair takes one input, the second one or two."""
    if len(b.args) == 1:
        return ht.pipeline(lambda x, y: (a.model(x), b.model(y)), name="pair")
    return ht.pipeline(lambda x, y, z: (a.model(x), b.model(y, z)), name="pair")


def half(machine: Machine) -> Machine:
    """The machine with half of its cores."""
    processors = tuple(replace(p, cores=max(p.cores // 2, 1)) for p in machine.processors)
    devices = tuple(replace(d, max_threads=max(d.max_threads // 2, 1)) for d in machine.devices)
    return replace(machine, processors=processors, devices=devices)


def overlap(plan: ht.Plan) -> bool:
    first, second = sorted(plan.schedule.tasks, key=lambda task: task.start_s)
    return second.start_s < first.end_s


def measured(ways: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each way, which take turns in blocks."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for run in ways.values():
        run()
    for _ in range(ROUNDS):
        for name, run in ways.items():
            block: list[float] = []
            while sum(block) < BLOCK_S:
                started_s = time.perf_counter()
                run()
                block.append(time.perf_counter() - started_s)
            taken[name].append(statistics.median(block))
            time.sleep(PAUSE_S)
    return {name: statistics.median(found) for name, found in taken.items()}


def compared(a: Load, b: Load, allow: list[str] | None) -> dict[str, Any]:
    """What was planned for a pair, and what the three ways take."""
    small = half(Machine.detect())
    with ExitStack() as stack:

        def plan(model: Any, *args: Any, **options: Any) -> ht.Plan:
            return stack.enter_context(ht.plan(model, *args, allow=allow, **options))

        alone_a, alone_b = plan(a.model, *a.args), plan(b.model, *b.args)
        narrow_a, narrow_b = plan(a.model, *a.args, machine=small), plan(b.model, *b.args, machine=small)
        both = plan(pipeline_of(a, b), *a.args, *b.args)

        def at_once() -> None:
            other = narrow_a.submit(*a.args)
            narrow_b(*b.args)
            other.result()

        found = measured(
            {
                "in turn": lambda: (alone_a(*a.args), alone_b(*b.args)),
                "planned": lambda: both(*a.args, *b.args),
                "at once": at_once,
            }
        )
    predicted_s = alone_a.estimate.seconds + alone_b.estimate.seconds
    return {
        "says": "side by side" if overlap(both) else "in turn",
        "predicted_gain": predicted_s / both.estimate.seconds,
        "in_turn_s": found["in turn"],
        "planned_s": found["planned"],
        "at_once_s": found["at once"],
        "gain": found["in turn"] / found["planned"],
    }


def wrong(row: Mapping[str, Any]) -> str | None:
    """What the plan of a pair should not have said."""
    if row["says"] == "side by side" and row["planned_s"] > NOISE * row["in_turn_s"]:
        return f"{row['pair']} ({row['engines']}): planned side by side, which is slower than in turn"
    if row["says"] == "in turn" and row["planned_s"] > NOISE * row["at_once_s"]:
        return f"{row['pair']} ({row['engines']}): planned in turn, and side by side is faster"
    return None


def table(rows: list[dict[str, Any]]) -> str:
    headers = ["engines", "pair", "the plan says", "predicted", "in turn", "planned", "at once", "gain"]
    return text_table(
        headers,
        [
            [
                row["engines"],
                row["pair"],
                row["says"],
                f"{row['predicted_gain']:.2f}x",
                *(seconds(row[key]) for key in ("in_turn_s", "planned_s", "at_once_s")),
                f"{row['gain']:.2f}x",
            ]
            for row in rows
        ],
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", choices=[*ENGINES], action="append", help="default: one after the other")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as store:
        os.environ["HETERO_CACHE"] = store
        for engines in arguments.engines or ENGINES:
            for name, (a, b) in pairs().items():
                rows.append({"engines": engines, "pair": name, **compared(a, b, ENGINES[engines])})
                csv_rows.write(arguments.csv, rows)
    print(f"{cpu().model}, {cpu().cores} cores")
    print(table(rows))
    faults = [fault for row in rows if (fault := wrong(row))]
    if max(row["gain"] for row in rows if row["says"] == "side by side") < GAIN:
        faults.append(f"no plan gains {GAIN}x")
    print(
        "\n".join(faults) or "side by side where the plan says so pays, and where it does not, it would not"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
