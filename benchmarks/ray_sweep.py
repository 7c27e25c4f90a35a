"""A sweep of circuits over the cores of a Ray cluster: ``python benchmarks/ray_sweep.py [--csv FILE]``.

The nodes of a test cluster share this machine, so each is bound to a physical core of its own, and everything that Ray
starts on it inherits that. A plan on the cluster answers a request for each circuit, on one node, then with replicas on
all. Beside it the same by hand: one actor a node with hetero's Estimator, which says what Ray and the machine leave of
linear. The share of linear is of the contestant's own time on one node. The driver sends and collects on the same
cores: the shorter a circuit, the more of them it takes. Ends with status 1 where the plan misses 0.8.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import csv_rows
import numpy as np
import ray
from qiskit import QuantumCircuit
from qiskit.circuit.library import real_amplitudes
from ray.cluster_utils import Cluster
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import hetero as ht

LEAST_SHARE = 0.8
"""hetero's promise: the share of linear that a sweep reaches."""
IN_FLIGHT = 8
"""Requests for each node: one that is run, and some that are on their way."""
FIRST = {"sweep": "first"}
"""The label of the node that is the only one at first."""
COLUMNS = ("contestant", "nodes", "circuits", "qubits", "seconds", "share_of_linear")

Sweep: TypeAlias = Callable[[np.ndarray], Sequence[float]]
"""From sets of angles to their values in the same order."""


class Worker:
    """An estimator in a process of one core."""

    def __init__(self, circuit: QuantumCircuit) -> None:
        from hetero.quantum import Estimator

        self._circuit, self._estimator = circuit, Estimator()

    def expectation(self, angles: np.ndarray) -> tuple[float, list[int]]:
        label = "Z" * self._circuit.num_qubits
        found = self._estimator.run([(self._circuit, label, angles)]).result()[0].data.evs
        return float(found), sorted(os.sched_getaffinity(0))


def physical_cores() -> list[int]:
    """The first logical CPU of each physical core that this process may use."""
    cores: dict[str, int] = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        cores.setdefault(siblings.read_text() if siblings.exists() else str(cpu), cpu)
    return list(cores.values())


def bound_nodes(cluster: Cluster, cores: Sequence[int]) -> list[str]:
    """Ids of new nodes of one CPU, each with the affinity of one core."""
    allowed = os.sched_getaffinity(0)
    found = []
    try:
        for i, core in enumerate(cores):
            os.sched_setaffinity(0, {core})
            node = cluster.add_node(num_cpus=1, resources={"quantum": 1}, labels={} if i else FIRST)
            found.append(node.node_id)
        return found
    finally:
        os.sched_setaffinity(0, allowed)


@contextmanager
def planned(circuit: QuantumCircuit, angles: np.ndarray, address: str, nodes: int) -> Iterator[Sweep]:
    callee = ht.from_qiskit(circuit, observables="Z" * circuit.num_qubits, name="energy")

    @ht.pipeline
    def energy(angles: np.ndarray) -> Any:
        return callee(angles)

    here = ht.plan(energy, angles, objective="throughput")
    with here.on_ray(address, labels=FIRST if nodes == 1 else None) as plan:
        yield lambda sets: [float(v) for v in plan.stream(sets, in_flight=IN_FLIGHT * nodes)]


@contextmanager
def by_hand(
    circuit: QuantumCircuit, angles: np.ndarray, ids: Sequence[str], cores: Sequence[int]
) -> Iterator[Sweep]:
    actor = ray.remote(num_cpus=1, resources={"quantum": 1})(Worker)
    workers = [
        actor.options(scheduling_strategy=NodeAffinitySchedulingStrategy(i, soft=False)).remote(circuit)
        for i in ids
    ]
    try:
        bound = [ray.get(worker.expectation.remote(angles))[1] for worker in workers]
        if bound != [[core] for core in cores]:
            raise RuntimeError(f"workers run on the cores {bound}, not on one of {cores} each")

        def sweep(sets: np.ndarray) -> Sequence[float]:
            refs = [workers[i % len(workers)].expectation.remote(angles) for i, angles in enumerate(sets)]
            return [value for value, _ in ray.get(refs)]

        yield sweep
    finally:
        for worker in workers:
            ray.kill(worker)


def sweep_s(sweep: Sweep, sets: np.ndarray) -> tuple[float, Sequence[float]]:
    """Seconds of the whole sweep, and its values; a short one before it opens connections and fills caches."""
    sweep(sets[:20])
    started = perf_counter()
    values = sweep(sets)
    return perf_counter() - started, values


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, help="file for the table")
    parser.add_argument("--circuits", type=int, default=200)
    parser.add_argument("--qubits", type=int, default=18)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    logging.getLogger("hetero.run").setLevel(logging.ERROR)
    circuit = real_amplitudes(arguments.qubits, reps=3, entanglement="linear")
    sets = np.random.default_rng(0).uniform(-np.pi, np.pi, (arguments.circuits, circuit.num_parameters))
    cores = physical_cores()
    counts = sorted({1, len(cores)})
    seconds: dict[tuple[str, int], list[float]] = {}
    expected = None
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        ids = bound_nodes(cluster, cores)
        ray.init(address=cluster.address, logging_level=logging.ERROR, log_to_driver=False)
        for _ in range(arguments.rounds):
            for nodes in counts:
                contestants = {
                    "actors by hand": by_hand(circuit, sets[0], ids[:nodes], cores[:nodes]),
                    "plan": planned(circuit, sets[0], cluster.address, nodes),
                }
                for name, opened in contestants.items():
                    with opened as sweep:
                        found_s, values = sweep_s(sweep, sets)
                    expected = values if expected is None else expected
                    np.testing.assert_allclose(values, expected, atol=1e-9)
                    seconds.setdefault((name, nodes), []).append(found_s)
    finally:
        ray.shutdown()
        cluster.shutdown()
    rows = []
    for (name, nodes), found in sorted(seconds.items()):
        share = min(seconds[name, 1]) / min(found) / nodes
        rows.append((name, nodes, arguments.circuits, arguments.qubits, min(found), share))
        print(
            f"{name:14} on {nodes:3} nodes: {arguments.circuits} circuits in {min(found):7.3f} s, "
            f"{share:.2f} of linear"
        )
    csv_rows.write(arguments.csv, [dict(zip(COLUMNS, row, strict=True)) for row in rows])
    if len(cores) == 1:
        print("one physical core: nothing to scale over")
    return int(any(share < LEAST_SHARE for name, *_, share in rows if name == "plan"))


if __name__ == "__main__":
    sys.exit(main())
