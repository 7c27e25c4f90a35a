"""Predicted against measured latency and throughput of pipelines, none of which was ever profiled as a whole.

    python benchmarks/prediction.py [--pipelines all|ready|made] [--out FILE.csv] [--seconds S] [NAME ...]

Each pipeline is planned for latency from measurements of its nodes, then run; and planned for throughput, then
streamed. ``made`` are those of `compositions.py`. The table shows the median of the runs, how far the middle half of
them lies apart, and predicted / measured; below it the median and the 90th percentile of the relative error.

A run over all takes minutes. With ``--seconds`` it stops early, and with ``--resume`` it goes on behind what ``--out``
holds; with ``--cache`` measurements are kept between such parts (without it, the profile store is empty at first).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import csv_rows

from hetero.show import seconds, text_table

LATENCY_S, FEWEST_RUNS, MOST_RUNS = 2.5, 11, 200
STREAM_S = 2.5


def load(name: str) -> tuple[Any, tuple[Any, ...]]:
    """The pipeline of this name and the arguments of a call."""
    from compositions import COMPOSITIONS

    from hetero.graphs.catalog import ready

    if name in COMPOSITIONS:
        return COMPOSITIONS[name]()
    module = ready(name)
    return module.build(), module.sample()


def names(which: str) -> tuple[str, ...]:
    from compositions import COMPOSITIONS

    from hetero.graphs.catalog import NAMES

    return {"ready": NAMES, "made": tuple(COMPOSITIONS), "all": (*NAMES, *COMPOSITIONS)}[which]


def measure(name: str) -> dict[str, Any]:
    """Plan one pipeline for latency and run it; plan it for throughput and stream it."""
    import hetero as ht

    pipeline, sample = load(name)
    started = time.perf_counter()
    with ht.plan(pipeline, *sample) as plan:
        planning_s = time.perf_counter() - started
        low, median, high = statistics.quantiles(_latencies(plan, sample), n=4)
        predicted_s = plan.estimate.seconds
    started = time.perf_counter()
    ht.plan(pipeline, *sample).close()
    again_s = time.perf_counter() - started
    with ht.plan(pipeline, *sample, objective="throughput") as plan:
        period_s, predicted_period_s = _period(plan, sample), plan.estimate.period_s
    return {
        "pipeline": name,
        "predicted_s": predicted_s,
        "measured_s": median,
        "measured_spread_s": (high - low) / 2,
        "ratio": predicted_s / median,
        "predicted_period_s": predicted_period_s,
        "measured_period_s": period_s,
        "period_ratio": predicted_period_s / period_s,
        "planning_s": planning_s,
        "planning_again_s": again_s,
    }


def _latencies(plan: Any, sample: Sequence[Any]) -> list[float]:
    """Seconds of warm runs, one after the other."""
    for _ in range(3):
        plan(*sample)
    taken: list[float] = []
    while len(taken) < FEWEST_RUNS or (sum(taken) < LATENCY_S and len(taken) < MOST_RUNS):
        started = time.perf_counter()
        plan(*sample)
        taken.append(time.perf_counter() - started)
    return taken


def _period(plan: Any, sample: Sequence[Any]) -> float:
    """Seconds between results in steady state: the median over stretches of the stream."""
    import hetero as ht

    def requests(until: float) -> Iterator[Any]:
        while time.perf_counter() < until:
            yield ht.args(*sample)

    for _ in plan.stream(requests(time.perf_counter() + 0.5)):
        pass
    arrivals = [time.perf_counter() for _ in plan.stream(requests(time.perf_counter() + STREAM_S))]
    stretch = max(1, len(arrivals) // 10)
    # The first results had the machine to themselves for a while, the last ones have it again.
    marks = arrivals[stretch : len(arrivals) - stretch : stretch]
    return statistics.median(b - a for a, b in pairwise(marks)) / stretch


@contextmanager
def _store(cache: Path | None) -> Iterator[None]:
    """The profile store in this folder; without one in a new folder that goes at the end."""
    with tempfile.TemporaryDirectory() as new:
        os.environ["HETERO_CACHE"] = str(cache or new)
        yield


def _table(rows: Sequence[dict[str, Any]]) -> str:
    headers = [
        "pipeline",
        "predicted",
        "measured",
        "+-",
        "ratio",
        "in stream",
        "measured",
        "ratio",
        "planned in",
    ]
    return text_table(
        [*headers, "again in"],
        [
            [
                row["pipeline"],
                seconds(row["predicted_s"]),
                seconds(row["measured_s"]),
                seconds(row["measured_spread_s"]),
                f"{row['ratio']:.2f}",
                seconds(row["predicted_period_s"]),
                seconds(row["measured_period_s"]),
                f"{row['period_ratio']:.2f}",
                seconds(row["planning_s"]),
                seconds(row["planning_again_s"]),
            ]
            for row in rows
        ],
    )


def _errors(what: str, ratios: Sequence[float]) -> str:
    """The relative errors of the predictions, in words."""
    errors = sorted(abs(ratio - 1) for ratio in ratios)
    ninth = errors[min(len(errors) - 1, round(0.9 * (len(errors) - 1)))]
    return (
        f"{what} of {len(errors)}: median error {statistics.median(errors):.1%}, 90th percentile {ninth:.1%}, "
        f"worst {errors[-1]:.1%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*")
    parser.add_argument("--pipelines", choices=["all", "ready", "made"], default="ready")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--resume", action="store_true", help="go on behind what --out holds")
    chosen = parser.parse_args()
    started = time.perf_counter()
    found = csv_rows.read(chosen.out, texts=("pipeline",)) if chosen.resume else []
    done = {row["pipeline"] for row in found}
    wanted = [name for name in chosen.names or names(chosen.pipelines) if name not in done]
    with _store(chosen.cache):
        while wanted and time.perf_counter() - started < chosen.seconds:
            found.append(measure(wanted.pop(0)))
            csv_rows.write(chosen.out, found)
    from hetero.detect import cpu

    processor = cpu()
    print(f"{processor.model}, {processor.cores} cores, {' '.join(processor.features)}")
    print(_table(found))
    print(_errors("latency", [row["ratio"] for row in found]))
    print(_errors("throughput", [row["period_ratio"] for row in found]))
    if wanted:
        print(f"{len(wanted)} left: {' '.join(wanted)}")


if __name__ == "__main__":
    main()
