"""Problems from SAGA's generators with the schedules of its one-pass schedulers, a JSON object a line.

    python benchmarks/saga_peers.py [--sample 12]
    python benchmarks/saga_peers.py --heft TASKS NODES

Runs in an environment of its own, with anrg-saga 2.0.2 and without hetero: `schedule_saga.py` makes one and reads
what this prints. The machines are related: a task's seconds are its cost over the node's speed.

Three things are not left to SAGA's defaults. Its default weights come out as the constant 2, so that all tasks and
nodes would be equal: here they are drawn from the normal distribution that the default means. Its `scale_to_ccr`
makes all links equally fast and data that stays on a node slow: here all links are scaled by one factor, and a
node's own memory is free. Its reader of workflow files does not know the format that wfcommons writes today.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from saga import Network, Schedule, TaskGraph, schedulers
from saga.schedulers.data import random as generators
from saga.schedulers.data import riotbench, wfcommons
from wfcommons.wfgen.generator import WorkflowGenerator

ONE_PASS = (
    "BILScheduler",
    "CpopScheduler",
    "DPSScheduler",
    "DuplexScheduler",
    "ETFScheduler",
    "FCPScheduler",
    "FLBScheduler",
    "FastestNodeScheduler",
    "GDLScheduler",
    "HbmctScheduler",
    "HeftScheduler",
    "MCTScheduler",
    "METScheduler",
    "MSTScheduler",
    "MaxMinScheduler",
    "MinMinScheduler",
    "MsbcScheduler",
    "OLBScheduler",
    "SufferageScheduler",
    "WBAScheduler",
)
"""All of SAGA's schedulers but three: brute force, a solver's search, and one that only combines others."""

CCRS = (0.2, 1.0, 5.0)
NODES = (4, 8)
TREES = ((4, 2), (5, 2), (6, 2), (4, 3))  # levels and branching: 32 to 128 tasks
CHAINS = ((5, 4), (5, 10), (10, 10), (18, 11))  # chains and their length: 22 to 200 tasks
DATAFLOWS = (2, 4, 8, 16)  # RIoTBench's four, of about 10 tasks each, several at once
RECIPES = {
    "blast": 60,
    "bwa": 120,
    "cycles": 90,
    "epigenomics": 80,
    "genome": 80,
    "montage": 100,
    "seismology": 110,
    "soykb": 110,
    "srasearch": 40,
}
"""Of wfcommons, each with the number of tasks asked for; a recipe comes close to it."""


class Case(NamedTuple):
    """One problem, before it is drawn."""

    family: str
    size: str
    graph: Callable[[], TaskGraph]
    network: Callable[[int], Network]
    nodes: int
    ccr: float


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sample", type=int, help="only so many problems, from all families")
    parser.add_argument(
        "--heft",
        type=int,
        nargs=2,
        metavar=("TASKS", "NODES"),
        help="only the seconds that HEFT takes on one graph",
    )
    arguments = parser.parse_args()
    if arguments.heft:
        print(heft_seconds(*arguments.heft))
        return 0
    logging.disable(
        logging.WARNING
    )  # graphs of several sources get a common one, which SAGA warns of each time
    found = list(cases())
    order = random.Random(1).sample(
        range(len(found)), len(found)
    )  # any beginning of it has a bit of everything
    for number in order[: arguments.sample]:
        random.seed(number)
        np.random.seed(number)
        print(json.dumps(drawn(found[number])), flush=True)
    return 0


def cases() -> Iterator[Case]:
    """150 problems, the CCR changing fastest."""
    for family, size, graph in graphs():
        network = fog_network if family == "riotbench" else random_network
        for nodes in NODES:
            for ccr in CCRS:
                yield Case(family, size, graph, network, nodes, ccr)


def graphs() -> Iterator[tuple[str, str, Callable[[], TaskGraph]]]:
    for levels, branching in TREES:
        shape = {"num": 1, "num_levels": levels, "branching_factor": branching}
        shape |= {"get_task_weight": weight, "get_dependency_weight": weight}
        for family, make in (("in-tree", generators.gen_in_trees), ("out-tree", generators.gen_out_trees)):
            yield family, f"{levels}x{branching}", lambda make=make, shape=shape: make(**shape)[0]
    for chains, length in CHAINS:
        shape = {"num": 1, "num_chains": chains, "chain_length": length}
        shape |= {"get_task_weight": weight, "get_dependency_weight": weight}
        yield "chains", f"{chains}x{length}", lambda shape=shape: generators.gen_parallel_chains(**shape)[0]
    for count in DATAFLOWS:
        yield "riotbench", str(count), lambda count=count: dataflows(count)
    for recipe, tasks in RECIPES.items():
        yield recipe, str(tasks), lambda recipe=recipe, tasks=tasks: workflow(recipe, tasks)


def weight(*_: object) -> float:
    """What SAGA's default weights are meant to be: normal around 1, cut off at 2 (and well above 0)."""
    return min(max(0.1, random.gauss(1.0, 1 / 3)), 2.0)


def random_network(nodes: int) -> Network:
    return generators.gen_random_networks(1, nodes, get_node_weight=weight, get_edge_weight=weight)[0]


def fog_network(nodes: int) -> Network:
    """RIoTBench's own kind of network: half at the edge, a quarter in the fog, a quarter in the cloud."""
    part = nodes // 4
    return riotbench.get_fog_networks(1, num_edges_nodes=2 * part, num_fog_nodes=part, num_cloud_nodes=part)[
        0
    ]


def dataflows(count: int) -> TaskGraph:
    """Several of RIoTBench's dataflows side by side."""
    kinds = (
        riotbench.get_etl_task_graphs,
        riotbench.get_stats_task_graphs,
        riotbench.get_train_task_graphs,
        riotbench.get_predict_task_graphs,
    )
    tasks, edges = [], []
    for number in range(count):
        one = kinds[number % len(kinds)](1)[0]
        tasks += [(f"{number}/{task.name}", task.cost) for task in one.tasks]
        edges += [(f"{number}/{e.source}", f"{number}/{e.target}", e.size) for e in one.dependencies]
    return TaskGraph.create(tasks, edges)


def workflow(recipe: str, tasks: int) -> TaskGraph:
    """A workflow drawn from a recipe of wfcommons, read from the file that its generator writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "workflow.json")
        WorkflowGenerator(wfcommons.recipes[recipe](num_tasks=tasks)).build_workflow().write_json(path)
        content = json.loads(path.read_text(encoding="utf-8"))["workflow"]
    nbytes = {entry["id"]: entry["sizeInBytes"] for entry in content["specification"]["files"]}
    described = {task["id"]: task for task in content["specification"]["tasks"]}
    seconds = {task["id"]: task["runtimeInSeconds"] for task in content["execution"]["tasks"]}
    edges = []
    for name, task in described.items():
        for parent in task["parents"]:
            files = set(described[parent]["outputFiles"]) & set(task["inputFiles"])
            edges.append((parent, name, max(1e-9, float(sum(nbytes[file] for file in files)))))
    return TaskGraph.create([(name, max(1e-9, float(seconds[name]))) for name in described], edges)


def at_ccr(network: Network, graph: TaskGraph, ccr: float) -> Network:
    """The network with its links scaled: a mean edge over a mean link takes `ccr` times a mean task."""
    between = [edge for edge in network.edges if edge.source != edge.target]
    running = np.mean([task.cost for task in graph.tasks]) * np.mean([1 / n.speed for n in network.nodes])
    moving = np.mean([e.size for e in graph.dependencies]) * np.mean([1 / e.speed for e in between])
    factor = float(moving / (ccr * running))
    nodes = [(node.name, node.speed) for node in network.nodes]
    return Network.create(nodes, [(e.source, e.target, e.speed * factor) for e in between])


def drawn(case: Case) -> dict[str, Any]:
    """The problem in plain values, and what each scheduler makes of it."""
    graph = case.graph()
    network = at_ccr(case.network(case.nodes), graph, case.ccr)
    schedules, seconds = {}, {}
    for name in ONE_PASS:
        began = time.perf_counter()
        schedules[name] = scheduled(name, network, graph)
        seconds[name] = time.perf_counter() - began
    return {
        "problem": f"{case.family}-{case.size}-{case.nodes}-{case.ccr:g}",
        "family": case.family,
        "nodes": case.nodes,
        "ccr": case.ccr,
        "cost": {task.name: task.cost for task in sorted(graph.tasks)},
        "edges": sorted((e.source, e.target, e.size) for e in graph.dependencies),
        "speed": {node.name: node.speed for node in sorted(network.nodes)},
        "link_speed": sorted((e.source, e.target, e.speed) for e in network.edges if e.source != e.target),
        "schedules": schedules,
        "seconds": seconds,
    }


def heft_seconds(tasks: int, nodes: int) -> float:
    """How long SAGA's HEFT takes on a graph with three edges to each task, as in `schedule_speed.py`."""
    rng = random.Random(tasks)
    pairs = {(rng.randrange(max(0, t - 1000), t), t) for t in range(1, tasks) for _ in range(3)}
    graph = TaskGraph.create(
        [(f"t{task}", rng.uniform(1.0, 100.0)) for task in range(tasks)],
        [(f"t{a}", f"t{b}", rng.uniform(1.0, 100.0)) for a, b in sorted(pairs)],
    )
    network = random_network(nodes)
    began = time.perf_counter()
    schedulers.HeftScheduler().schedule(network, graph)
    return time.perf_counter() - began


def scheduled(name: str, network: Network, graph: TaskGraph) -> dict[str, tuple[str, float, float]] | str:
    """Node, start and end of each task; or, as text, the error that the scheduler raised."""
    try:
        schedule: Schedule = getattr(schedulers, name)().schedule(network, graph)
    except Exception as error:  # whatever a peer raises counts against that peer, and is printed
        return f"{type(error).__name__}: {error}"
    return {task.name: (task.node, task.start, task.end) for _, tasks in schedule.items() for task in tasks}


if __name__ == "__main__":
    sys.exit(main())
