"""What hetero adds to Ray: ``python benchmarks/ray_overhead.py [--csv FILE]``.

A plan of three stages on three nodes of a cluster, the same three actors written by hand, and a Ray Serve composition
of them. Each stage is a small matrix product; arrays of 80 KB and of 8 MB go from stage to stage. All have one actor a
stage, and the nodes share this machine's cores. They take turns in short blocks, and the best block of each counts, so
that a busy moment hits none of them alone. The replicas of Serve are not pinned to the nodes that the other two use:
Serve places them itself, so some of its hops may stay on one node.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import csv_rows
import numpy as np
import ray
from ray import serve
from ray.cluster_utils import Cluster
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import hetero as ht
from hetero.run.compile import compile_program
from hetero.run.ray_cluster import RayExecutor, machine_from_ray
from hetero.run.session import Session

sys.path.append(str(Path(__file__).parent.parent / "tests" / "run"))
from plans_by_hand import plan_of

STAGES = 3
SIZES = (100, 1000)  # rows of a float64 matrix: 80 KB, 8 MB
IN_FLIGHT = 12
COLUMNS = ("nbytes", "contestant", "p50_ms", "p99_ms", "requests_a_second", "latency_x", "throughput_x")


def work(x: np.ndarray) -> np.ndarray:
    """What each stage does, whoever calls it: some arithmetic, and a new array of the same size."""
    return x + np.float64(x[:64, :64] @ x[:64, :64].T).sum() * 1e-12


@ht.node
def stage(x: np.ndarray) -> np.ndarray:
    return work(x)


@ht.pipeline
def three(x: np.ndarray) -> Any:
    return stage(stage(stage(x)))


@ray.remote
class ByHand:
    """The actor that a person would write."""

    def run(self, x: np.ndarray) -> np.ndarray:
        return work(x)


@serve.deployment(max_ongoing_requests=64)
class Served:
    def __init__(self, following: Any = None) -> None:
        self._following = following

    async def __call__(self, x: np.ndarray) -> Any:
        found = work(x)
        return found if self._following is None else await self._following.remote(found)


Call = Callable[[Any], Any]
Stream = Callable[[Sequence[Any]], Iterator[Any]]


@contextmanager
def hetero_plan(machine: ht.Machine, address: str) -> Iterator[tuple[Call, Stream]]:
    devices = {
        name: p.name for name, p in zip(("stage", "stage#2", "stage#3"), machine.processors, strict=False)
    }
    plan = plan_of(three.trace(), on=machine, devices={n: f"{p}/python" for n, p in devices.items()})
    with Session(plan, RayExecutor(compile_program(plan), machine, address)) as session:
        yield lambda x: session.call((x,)), lambda xs: session.stream(xs, in_flight=IN_FLIGHT)


def windowed(xs: Sequence[Any], start: Callable[[Any], Any], finish: Callable[[Any], Any]) -> Iterator[Any]:
    """The results in order, with at most ``IN_FLIGHT`` requests begun and not finished."""
    flying: deque[Any] = deque()
    for x in xs:
        flying.append(start(x))
        if len(flying) >= IN_FLIGHT:
            yield finish(flying.popleft())
    while flying:
        yield finish(flying.popleft())


@contextmanager
def by_hand(machine: ht.Machine) -> Iterator[tuple[Call, Stream]]:
    nodes = [p.node for p in machine.processors if p.kind == "cpu"]
    actors = [
        ByHand.options(
            num_cpus=1, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)
        ).remote()
        for node in nodes[:STAGES]
    ]

    def start(x: Any) -> Any:
        for actor in actors:
            x = actor.run.remote(x)
        return x

    try:
        yield lambda x: ray.get(start(x)), lambda xs: windowed(xs, start, ray.get)
    finally:
        for actor in actors:
            ray.kill(actor)


@contextmanager
def ray_serve() -> Iterator[tuple[Call, Stream]]:
    serve.start(proxy_location="Disabled")
    deployed = None
    for number in reversed(range(STAGES)):
        options = {"name": f"stage{number}", "ray_actor_options": {"num_cpus": 1}}
        bound = Served.options(**options)
        deployed = bound.bind() if deployed is None else bound.bind(deployed)
    handle = serve.run(deployed, name="three", route_prefix=None)

    try:
        yield (
            lambda x: handle.remote(x).result(),
            lambda xs: windowed(xs, handle.remote, lambda answer: answer.result()),
        )
    finally:
        serve.shutdown()


def block(call: Call, stream: Stream, x: np.ndarray, calls: int) -> tuple[list[float], float]:
    """Seconds of single calls, and requests a second with several in flight."""
    latencies = []
    for _ in range(calls):
        start = perf_counter()
        call(x)
        latencies.append(perf_counter() - start)
    start = perf_counter()
    answers = sum(1 for _ in stream([x] * (4 * calls)))
    return latencies, answers / (perf_counter() - start)


def compare(
    runners: dict[str, tuple[Call, Stream]], size: int, blocks: int, calls: int
) -> dict[str, tuple[float, float, float]]:
    """p50 of the best block and p99 over all, in milliseconds, and requests a second, by contestant."""
    x = np.random.default_rng(0).standard_normal((size, size))
    expected = work(work(work(x)))
    latencies: dict[str, list[list[float]]] = {name: [] for name in runners}
    rates: dict[str, list[float]] = {name: [] for name in runners}
    for name, (call, stream) in runners.items():
        assert np.array_equal(call(x), expected), f"{name} answers wrongly"
        block(call, stream, x, calls)  # opens connections
    for _ in range(blocks):
        for name, (call, stream) in runners.items():
            found, rate = block(call, stream, x, calls)
            latencies[name].append(found)
            rates[name].append(rate)
    return {
        name: (
            1e3 * min(map(median, latencies[name])),
            1e3 * float(np.percentile(np.concatenate(latencies[name]), 99)),
            max(rates[name]),
        )
        for name in runners
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, help="file for the table")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--without-serve", action="store_true")
    arguments = parser.parse_args()
    logging.getLogger("hetero.run").setLevel(logging.ERROR)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 3, "include_dashboard": False})
    rows = []
    try:
        for _ in range(STAGES - 1):
            cluster.add_node(num_cpus=3)
        cluster.wait_for_nodes()
        ray.init(address=cluster.address, logging_level=logging.ERROR, log_to_driver=False)
        machine = machine_from_ray(cluster.address)
        with ExitStack() as stack:
            runners = {
                "three actors by hand": stack.enter_context(by_hand(machine)),
                "hetero": stack.enter_context(hetero_plan(machine, cluster.address)),
            }
            if not arguments.without_serve:
                runners["Ray Serve"] = stack.enter_context(ray_serve())
            for size in SIZES:
                calls = arguments.calls if size < 500 else max(arguments.calls // 4, 1)
                found = compare(runners, size, arguments.blocks, calls)
                base = found["three actors by hand"]
                for name, (p50, p99, rate) in found.items():
                    rows.append([size * size * 8, name, p50, p99, rate, p50 / base[0], rate / base[2]])
                    print(
                        f"{size * size * 8:>9} bytes  {name:22} p50 {p50:7.2f} ms ({p50 / base[0]:.2f}x)  "
                        f"p99 {p99:7.2f} ms"
                        f"  {rate:7.1f} a second ({rate / base[2]:.2f}x)",
                        flush=True,
                    )
    finally:
        ray.shutdown()
        cluster.shutdown()
    csv_rows.write(arguments.csv, [dict(zip(COLUMNS, row, strict=True)) for row in rows])


if __name__ == "__main__":
    main()
