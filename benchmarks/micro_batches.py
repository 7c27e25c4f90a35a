"""Requests of different callers run together: python benchmarks/micro_batches.py [--seconds 4] [--csv FILE]

A trained sentence encoder answers sentences that arrive one by one, at random moments, whether or not it keeps up. Each
rate is tried with a plan that calls the model for every request, and with the same plan micro-batched; rates are shares
of what the plain plan answers at most. Then the promise of a maximum wait is put to the test, by a request that meets
nobody while another one is under way. Fails where that one waits longer than planned.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import csv_rows
from compositions import encode

import hetero as ht
from hetero.detect import cpu
from hetero.graphs import minilm
from hetero.graphs.sentences import SENTENCES
from hetero.plans import Plan
from hetero.run.load import closed_loop, open_loop
from hetero.show import seconds, text_table

TOGETHER, WAIT_S = 16, 0.002
SHARES = (0.3, 0.7, 0.9, 1.1, 1.4)
"""Rates of arrival, as shares of the most that the plain plan answers."""
WAITS = 25
MAY_BE_LATER_S = 0.002
"""Between a wait's end and the call: a timer, a hand-over to the lane's thread, and the scheduler of the system."""


@ht.node
def hold(ids: Any, pause_s: float) -> Any:
    time.sleep(pause_s)
    return ids


def sentences_of_one_width() -> list[Any]:
    """The inputs of as many sentences as have the same number of tokens: only those can share a call."""
    by_width: dict[int, list[Any]] = defaultdict(list)
    for sentence in SENTENCES:
        ids, mask = minilm.tokenise([sentence])
        by_width[ids.shape[1]].append(ht.args(ids, mask))
    return max(by_width.values(), key=len)


def under_load(plans: dict[str, Plan], inputs: list[Any], span_s: float) -> list[dict[str, Any]]:
    """Throughput and latencies of each plan at each rate; the rates take turns, so that a drift hits both."""
    most = closed_loop(plans["one by one"], inputs, users=8, seconds=span_s).per_second
    assert most is not None, "a sentence takes milliseconds"
    rows = []
    for share in SHARES:
        for name, plan in plans.items():
            before = plan.session.counts.started
            load = open_loop(plan, inputs, rate=share * most, seconds=span_s)
            rows.append(
                {
                    "share": share,
                    "arrivals_per_second": share * most,
                    "calls": name,
                    "answers_per_second": load.answers / load.window_s,
                    "p50_s": load.p50_s,
                    "p99_s": load.p99_s,
                    "requests": plan.session.counts.started - before,
                    "not_answered": load.failed,
                }
            )
    return rows


def waits(inputs: list[Any]) -> list[float]:
    """How much longer than alone a request takes that waits for another one, which is held up on its way."""

    @ht.pipeline
    def held(ids: Any, mask: Any, pause_s: float) -> Any:
        return encode()(hold(ids, pause_s), mask)

    args = inputs[0].args
    found = ht.Machine.detect()
    # One core for the model, so that the node that holds up the other request does not hold up this one too.
    machine = replace(found, devices=tuple(replace(device, max_threads=1) for device in found.devices))
    plan = ht.plan(held, *args, 0.0, machine=machine).micro_batched(
        requests=TOGETHER, wait_s=WAIT_S, nodes=["encode"]
    )
    with plan:
        alone, waited = [], []
        for _ in range(WAITS):
            alone.append(_taken_s(plan, args))
            other = plan.submit(*args, 20 * WAIT_S)
            waited.append(_taken_s(plan, args))
            other.result()
    return [taken_s - statistics.median(alone) for taken_s in waited]


def _taken_s(plan: Plan, args: Any) -> float:
    started_s = time.perf_counter()
    plan(*args, 0.0)
    return time.perf_counter() - started_s


def table(rows: list[dict[str, Any]]) -> str:
    return text_table(
        ["load", "arrive", "calls", "answered", "p50", "p99"],
        [
            [
                f"{row['share']:.0%}",
                f"{row['arrivals_per_second']:.0f} /s",
                row["calls"],
                f"{row['answers_per_second']:.0f} /s",
                seconds(row["p50_s"]),
                seconds(row["p99_s"]),
            ]
            for row in rows
        ],
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    inputs = sentences_of_one_width()
    with ht.plan(encode(), *inputs[0].args) as plain:
        batched = plain.micro_batched(requests=TOGETHER, wait_s=WAIT_S)
        with batched:
            rows = under_load({"one by one": plain, "together": batched}, inputs, arguments.seconds)
            shared = batched.stats()["encode"].requests_a_call
    longer_s = waits(inputs)
    csv_rows.write(arguments.csv, rows)
    print(f"{cpu().model}, {cpu().cores} cores; {'; '.join(batched.notes)}")
    print(table(rows))
    median_s, longest_s = statistics.median(longer_s), max(longer_s)
    print(f"requests a call: {shared:.1f}")
    print(
        f"who waits for nobody that comes: {seconds(median_s)} in the middle, {seconds(longest_s)} at most, "
        f"of {seconds(WAIT_S)} planned"
    )
    return 1 if median_s > WAIT_S + MAY_BE_LATER_S else 0


if __name__ == "__main__":
    sys.exit(main())
