"""Beyond this machine, by simulation: 10,000 stages scheduled on 1,000 nodes, and where a driver stops scaling.

``python benchmarks/ray_scale.py [--csv FILE] [--call-us 280] [--store-gb-s 2.6]``

Nothing runs here. The first part times the scheduler on declared links and stages of the ``null`` kind, whose times are
declared too. The second is an event simulation of one driver that keeps every node busy with requests of one stage.
A call costs the driver ``--call-us`` (``ray_overhead.py``: 1,184 requests a second of three calls each), and inputs
go through its object store at ``--store-gb-s`` (a put of 100 MB took 38 ms). It says which of the three is the limit.
"""

from __future__ import annotations

import argparse
import heapq
import random
from pathlib import Path
from time import perf_counter

import csv_rows

from hetero.schedule import Problem, solve
from hetero.schedule.problem import Edge, Link, Option, Processor, Task

OPTIONS, WIDTH = 4, 500
NODES = (1, 10, 30, 100, 300, 1000)
STAGES_S = (0.01, 0.1, 1.0)
INPUTS_NBYTES = (1e5, 1e7)
COLUMNS = ("stage_s", "input_nbytes", "nodes", "requests_a_second", "limit")


def problem(stages: int, nodes: int, seed: int = 0) -> Problem:
    """Layers of stages that could each run on some of the nodes; every pair of nodes is linked."""
    choose = random.Random(seed)
    return Problem(
        tuple(Processor(f"n{i}") for i in range(nodes)),
        tuple(
            Task(
                f"s{i}",
                tuple(
                    Option(f"n{j}", choose.uniform(0.005, 0.02))
                    for j in choose.sample(range(nodes), min(OPTIONS, nodes))
                ),
            )
            for i in range(stages)
        ),
        tuple(Edge(f"s{i - WIDTH}", f"s{i}", 1e5) for i in range(WIDTH, stages)),
        tuple(Link(f"n{a}", f"n{b}", 1e-3, 1e9) for a in range(nodes) for b in range(nodes) if a != b),
    )


def simulated(
    nodes: int, stage_s: float, nbytes: float, call_s: float, bytes_per_s: float, requests: int
) -> tuple[float, str]:
    """Requests a second of one driver that starts a request on a free node as soon as it can, and what was busiest.

    The driver and its object store serve one request at a time each, one after the other; a node holds one request.
    """
    put_s = nbytes / bytes_per_s
    free = [0.0] * nodes
    driver_s = store_s = 0.0
    for _ in range(requests):
        driver_s += call_s
        store_s = max(store_s, driver_s) + put_s
        begin_s = max(heapq.heappop(free), store_s)
        driver_s = max(driver_s, begin_s - put_s - call_s)  # it starts no more than the nodes take
        heapq.heappush(free, begin_s + stage_s)
    end_s = max(free)
    busy = {
        "driver": requests * call_s,
        "object store": requests * put_s,
        "nodes": requests * stage_s / nodes,
    }
    return requests / end_s, max(busy, key=busy.__getitem__)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, help="file for the table of the simulation")
    parser.add_argument("--stages", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=1_000)
    parser.add_argument("--budget", type=float, default=3.0, help="seconds that the scheduler may search")
    parser.add_argument("--call-us", type=float, default=280.0)
    parser.add_argument("--store-gb-s", type=float, default=2.6)
    arguments = parser.parse_args()
    simulate_all(arguments.call_us * 1e-6, arguments.store_gb_s * 1e9, arguments.csv)
    given = problem(arguments.stages, arguments.nodes)
    started = perf_counter()
    found = solve(given, budget_seconds=arguments.budget)
    print(
        f"{arguments.stages} stages on {arguments.nodes} nodes scheduled in {perf_counter() - started:.1f} s: makespan "
        f"{found.makespan_s:.3f} s, none is below {found.lower_bound_s:.3f} s ({found.method})"
    )


def simulate_all(call_s: float, bytes_per_s: float, path: Path | None) -> None:
    rows = []
    for stage_s in STAGES_S:
        for nbytes in INPUTS_NBYTES:
            for nodes in NODES:
                rate, limit = simulated(nodes, stage_s, nbytes, call_s, bytes_per_s, max(20 * nodes, 1000))
                rows.append((stage_s, nbytes, nodes, rate, limit))
                print(
                    f"stage {stage_s:5.2f} s, input {nbytes / 1e6:5.1f} MB, {nodes:5} nodes: {rate:8.1f} a second, "
                    f"limit: {limit}"
                )
    csv_rows.write(path, [dict(zip(COLUMNS, row, strict=True)) for row in rows])


if __name__ == "__main__":
    main()
