"""Predicted against measured latency of the ready pipelines, none of which was ever profiled as a whole.

    python benchmarks/prediction.py [--runs 15] [--out FILE.csv] [NAME ...]

Each pipeline is planned in this process with an empty profile store, then run. The table shows the median of the
runs, how far the middle half of them lies apart, and predicted / measured.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from hetero.show import seconds, text_table


def measure(name: str, runs: int) -> dict[str, Any]:
    """Plan and run one ready pipeline."""
    import hetero as ht
    from hetero.graphs.catalog import ready

    module = ready(name)
    pipeline, sample = module.build(), module.sample()
    started = time.perf_counter()
    with ht.plan(pipeline, *sample) as plan:
        planning_s = time.perf_counter() - started
        for _ in range(2):
            plan(*sample)
        taken = []
        for _ in range(runs):
            started = time.perf_counter()
            plan(*sample)
            taken.append(time.perf_counter() - started)
        started = time.perf_counter()
        ht.plan(pipeline, *sample).close()
        again_s = time.perf_counter() - started
        low, median, high = statistics.quantiles(taken, n=4)
        return {
            "pipeline": name,
            "predicted_s": plan.estimate.seconds,
            "measured_s": median,
            "measured_spread_s": (high - low) / 2,
            "ratio": plan.estimate.seconds / median,
            "planning_s": planning_s,
            "planning_again_s": again_s,
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HETERO_CACHE"] = cache
        from hetero.detect import cpu
        from hetero.graphs.catalog import NAMES

        found = [measure(name, chosen.runs) for name in chosen.names or NAMES]
        processor = cpu()
    print(f"{processor.model}, {processor.cores} cores, {' '.join(processor.features)}")
    print(
        text_table(
            ["pipeline", "predicted", "measured", "+-", "ratio", "planned in", "again in"],
            [
                [
                    row["pipeline"],
                    seconds(row["predicted_s"]),
                    seconds(row["measured_s"]),
                    seconds(row["measured_spread_s"]),
                    f"{row['ratio']:.2f}",
                    seconds(row["planning_s"]),
                    seconds(row["planning_again_s"]),
                ]
                for row in found
            ],
        )
    )
    if chosen.out:
        with chosen.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(found[0]))
            writer.writeheader()
            writer.writerows(found)


if __name__ == "__main__":
    main()
