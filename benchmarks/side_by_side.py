"""Two models side by side against one after the other: python benchmarks/side_by_side.py [--engines all] [--csv FILE]
[--pair "two pages"]

Each pair of trained models is one pipeline of two nodes that know nothing of each other. Three ways to run it take
turns:

- *in turn*: the best plan of each model alone, on all cores, one call after the other;
- *planned*: what the planner makes of the pair, and whether it lets the two overlap;
- *at once*: both at the same time on half of the cores each, by hand, whether or not that pays.

The gain is the median of the rounds', each of which compares what was timed within about a second; its lowest and
highest are shown beside it, since a virtual machine may itself change from one second to the next. Each pair is planned
from an empty profile store, with ONNX Runtime alone and with all engines. One that was planned wrongly is planned and
measured once more, from an empty store again: the machine may have changed in between. Both rows are shown.

Fails where twice a plan that lets the models overlap is slower than in turn, or one that does not is slower than at
once; and where no plan gains 1.3x.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
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


def measured(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way in each round, in which they take turns in blocks: the median of a block."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for run in ways.values():
        run()
    for _ in range(rounds):
        for name, run in ways.items():
            block: list[float] = []
            while sum(block) < BLOCK_S:
                started_s = time.perf_counter()
                run()
                block.append(time.perf_counter() - started_s)
            taken[name].append(statistics.median(block))
            time.sleep(PAUSE_S)
    return taken


def gains(taken: Mapping[str, Sequence[float]], way: str, other: str) -> list[float]:
    """How many times as fast one way was as another, in each round."""
    return [theirs / mine for mine, theirs in zip(taken[way], taken[other], strict=True)]


def compared(a: Load, b: Load, allow: list[str] | None, rounds: int) -> dict[str, Any]:
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
            },
            rounds,
        )
    predicted_s = alone_a.estimate.seconds + alone_b.estimate.seconds
    gained = gains(found, "planned", "in turn")
    return {
        "says": "side by side" if overlap(both) else "in turn",
        "predicted_gain": predicted_s / both.estimate.seconds,
        "in_turn_s": statistics.median(found["in turn"]),
        "planned_s": statistics.median(found["planned"]),
        "at_once_s": statistics.median(found["at once"]),
        "gain": statistics.median(gained),
        "gains": " ".join(f"{gain:.3f}" for gain in gained),
        "lost": statistics.median(gains(found, "at once", "planned")),
    }


def wrong(row: Mapping[str, Any]) -> str | None:
    """What the plan of a pair should not have said."""
    if row["says"] == "side by side" and row["gain"] * NOISE < 1:
        return f"{row['pair']} ({row['engines']}): planned side by side, which is slower than in turn"
    if row["says"] == "in turn" and row["lost"] > NOISE:
        return f"{row['pair']} ({row['engines']}): planned in turn, and side by side is faster"
    return None


def table(rows: list[dict[str, Any]]) -> str:
    headers = [
        "engines",
        "pair",
        "the plan says",
        "predicted",
        "in turn",
        "planned",
        "at once",
        "gain",
        "in rounds",
    ]
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
                _range(row["gains"]),
            ]
            for row in rows
        ],
    )


def _range(gains: str) -> str:
    each = [float(gain) for gain in gains.split()]
    return f"{min(each):.2f}-{max(each):.2f}x"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", choices=[*ENGINES], action="append", help="default: one after the other")
    parser.add_argument("--pair", action="append", help="only this one; may be given several times")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--csv", type=Path, help="also has the gain of each round, in their order")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    faults = []
    for engines in arguments.engines or ENGINES:
        for name, (a, b) in pairs().items():
            if arguments.pair and name not in arguments.pair:
                continue
            for _ in range(2):
                with tempfile.TemporaryDirectory() as store:
                    os.environ["HETERO_CACHE"] = store
                    found = compared(a, b, ENGINES[engines], arguments.rounds)
                rows.append({"engines": engines, "pair": name, **found})
                csv_rows.write(arguments.csv, rows)
                fault = wrong(rows[-1])
                if fault is None:
                    break
            faults += [fault] if fault else []
    print(f"{cpu().model}, {cpu().cores} cores")
    print(table(rows))
    if max((row["gain"] for row in rows if row["says"] == "side by side"), default=0.0) < GAIN:
        faults.append(f"no plan gains {GAIN}x")
    print(
        "\n".join(faults) or "side by side where the plan says so pays, and where it does not, it would not"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
