"""How long it takes to plan once everything is measured: problems of 1 to 20 nodes, solved to proven optimality.

    python benchmarks/plan_speed.py [--repeats 2] [--budget 5] [--csv out.csv]

Problems as planning poses them: a node is a Python function with one option, a model with three engines at every power
of two of threads in fp32 and bf16, or a map with an option for each shape of lanes; on 2, 8 and 16 cores, without and
with a GPU that has a memory and links of its own; graphs that are chains, fans, and random layers; under the default
limit on the error and, every other one, under a looser limit that lets some nodes be inexact. Each is solved in this
process with the solvers already imported, by the same call as the planner's.
Prints, for each number of nodes and objective, the share proven, and the median and the largest time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import csv_rows
import numpy as np

from hetero.planning.grid import on_grid
from hetero.schedule import Edge, Limits, Link, Option, Problem, Processor, Task, solve

NODES = (1, 2, 3, 5, 8, 12, 16, 20)
SHAPES = ("chain", "fan", "layers")
CORES = (2, 8, 16)
OBJECTIVES = ("latency", "throughput", "energy", "cost")
BUDGET_S = 5.0
"""What the planner gives: a solve that is not proven by then counts as not proven."""
TARGET_S = 0.1
COLUMNS = ("nodes", "objective", "shape", "cores", "gpu", "options", "seconds", "proven", "gap", "method")


@dataclass(frozen=True, slots=True)
class Case:
    """A problem with what it was made from."""

    nodes: int
    shape: str
    cores: int
    gpu: bool
    problem: Problem


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=2, help="random problems of each kind")
    parser.add_argument(
        "--budget", type=float, default=BUDGET_S, help="seconds for what is not proven sooner"
    )
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    for objective in OBJECTIVES:  # import, or compile, everything that will be used
        for nodes, shape, cores, seed in ((3, "fan", 8, 0), (8, "fan", 2, 1), (16, "fan", 16, 1)):
            warm = problem(nodes, shape, cores, gpu=True, seed=seed)
            solve(warm, objective=objective, budget_seconds=0.5)  # type: ignore[arg-type]
    rows = [
        measure(case, objective, arguments.budget)
        for case in cases(arguments.repeats)
        for objective in OBJECTIVES
    ]
    print_table(rows)
    csv_rows.write(arguments.csv, rows, COLUMNS)
    return 0


def cases(repeats: int) -> Iterator[Case]:
    for nodes in NODES:
        for shape in SHAPES:
            for cores in CORES:
                for gpu in (False, True):
                    for seed in range(repeats):
                        made = problem(nodes, shape, cores, gpu=gpu, seed=seed)
                        yield Case(nodes, shape, cores, gpu, made)


def measure(case: Case, objective: str, budget_s: float) -> dict[str, object]:
    began = time.perf_counter()
    found = solve(case.problem, objective=objective, budget_seconds=budget_s)  # type: ignore[arg-type]
    seconds = time.perf_counter() - began
    return {
        "nodes": case.nodes,
        "objective": objective,
        "shape": case.shape,
        "cores": case.cores,
        "gpu": int(case.gpu),
        "options": sum(len(task.options) for task in case.problem.tasks),
        "seconds": seconds,
        "proven": int(found.proven_optimal),
        "gap": found.gap,
        "method": found.method,
    }


def print_table(rows: list[dict[str, object]]) -> None:
    heads = (
        "nodes",
        "objective",
        "problems",
        "proven",
        "median ms",
        "largest ms",
        "in 100 ms",
        "largest gap",
    )
    print("  ".join(f"{head:>11}" for head in heads))
    for nodes in NODES:
        for objective in OBJECTIVES:
            mine = [row for row in rows if row["nodes"] == nodes and row["objective"] == objective]
            times = [float(str(row["seconds"])) for row in mine]
            proven = sum(int(str(row["proven"])) for row in mine) / len(mine)
            quick = sum(
                bool(row["proven"]) and took < TARGET_S for row, took in zip(mine, times, strict=True)
            )
            gap = max(float(str(row["gap"])) for row in mine)
            cells = (nodes, objective, len(mine), f"{proven:.0%}", f"{1e3 * median(times):.1f}")
            cells += (f"{1e3 * max(times):.1f}", f"{quick / len(mine):.0%}", f"{gap:.1%}")
            print("  ".join(f"{cell:>11}" for cell in cells), flush=True)


def problem(nodes: int, shape: str, cores: int, *, gpu: bool, seed: int) -> Problem:
    rng = np.random.default_rng([nodes, SHAPES.index(shape), cores, gpu, seed])
    processors = [Processor("cpu", cores)]
    links: list[Link] = []
    if gpu:
        processors.append(Processor("gpu0", 1, 16e9))
        links = [Link("cpu", "gpu0", 1e-4, 1e10), Link("gpu0", "cpu", 1e-4, 1e10)]
    tasks = [Task(f"n{i}", tuple(node_options(rng, f"n{i}", cores, gpu=gpu))) for i in range(nodes)]
    edges = [
        Edge(f"n{a}", f"n{b}", float(rng.integers(1_000, 5_000_000))) for a, b in arcs(rng, nodes, shape)
    ]
    # Half of them under the default limit, half under one that lets some tasks be inexact, and binds.
    limits = Limits(error=1e-4 if seed % 2 == 0 else 1e-2)
    return on_grid(Problem(tuple(processors), tuple(tasks), tuple(edges), tuple(links), limits))


def node_options(rng: np.random.Generator, name: str, cores: int, *, gpu: bool) -> Iterator[Option]:
    """The options of a function, a model or a map, as measured: with noise, and never quite linear in threads."""
    kind = rng.choice(["function", "model", "model", "map"])
    size_s = float(10 ** rng.uniform(-3.5, -1))  # 0.3 to 100 ms
    if kind == "function":
        yield option(float(rng.uniform(1e-5, 5e-3)), 1)
        return
    threads = [2**k for k in range(10) if 2**k <= cores]
    if kind == "map":  # lanes x threads: what holds cores is their product
        for lanes in threads:
            for each in threads:
                if lanes * each <= cores:
                    seconds = size_s / (lanes**0.9 * each ** rng.uniform(0.5, 0.8)) * rng.uniform(0.97, 1.03)
                    yield option(seconds, lanes * each, resident=f"{name}/fp32")
        return
    bf16 = float(10 ** rng.uniform(-3.5, -1.7))  # 3e-4 to 2e-2
    for engine in ("onnxruntime", "openvino", "torch"):
        speed = rng.uniform(0.6, 2.0)
        scaling = rng.uniform(0.6, 0.95)
        for precision, gain, error in (("fp32", 1.0, 3e-6), ("bf16", rng.uniform(0.8, 2.5), bf16)):
            for count in threads:
                seconds = size_s / (speed * gain * count**scaling) * rng.uniform(0.97, 1.03)
                yield option(seconds, count, error=error, resident=f"{name}/{engine}/{precision}")
    if gpu:
        for precision, error in (("fp32", 2e-6), ("fp16", 5e-4)):
            seconds = size_s / rng.uniform(4, 30) + 2e-4
            yield Option(
                "gpu0",
                seconds,
                1,
                1e8,
                60 * seconds,
                5e-4 * seconds,
                error,
                resident=f"{name}/gpu/{precision}",
            )


def option(seconds: float, cores: int, *, error: float = 0.0, resident: str | None = None) -> Option:
    """On the CPU: joules and dollars by the core second, as planning prices them."""
    work = seconds * cores
    return Option("cpu", seconds, cores, 1e8 if resident else 0.0, 3.0 * work, 1e-5 * work, error, resident)


def arcs(rng: np.random.Generator, nodes: int, shape: str) -> Iterator[tuple[int, int]]:
    if shape == "chain":
        yield from ((i, i + 1) for i in range(nodes - 1))
    elif shape == "fan":  # one source, one sink, everything else between them
        for i in range(1, nodes - 1):
            yield 0, i
            yield i, nodes - 1
        if nodes == 2:
            yield 0, 1
    else:
        width = max(1, round(nodes**0.5))
        for i in range(width, nodes):
            layer = range((i // width - 1) * width, i // width * width)
            for source in rng.choice(list(layer), size=min(width, int(rng.integers(1, 3))), replace=False):
                yield int(source), i


if __name__ == "__main__":
    sys.exit(main())
