"""A sweep of circuits over the cores of a Ray cluster: ``python benchmarks/ray_sweep.py [--csv FILE]``.

The nodes of a test cluster share this machine, so each is bound to a physical core of its own, and everything that Ray
starts on it inherits that. One actor a node has hetero's Estimator; the same circuits go to one node, then to all. This
says what Ray and the machine leave of linear; it goes through no plan.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import csv_rows
import numpy as np
import ray
from qiskit import QuantumCircuit
from qiskit.circuit.library import real_amplitudes
from ray.cluster_utils import Cluster
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

LEAST_SHARE = 0.8
COLUMNS = ("nodes", "circuits", "qubits", "seconds", "share_of_linear")
"""hetero's promise: the share of linear that a sweep reaches."""


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
    try:
        found = []
        for core in cores:
            os.sched_setaffinity(0, {core})
            found.append(cluster.add_node(num_cpus=1, resources={"quantum": 1}).node_id)
        return found
    finally:
        os.sched_setaffinity(0, allowed)


def sweep_s(workers: Sequence[Any], sets: np.ndarray) -> tuple[float, list[float]]:
    """Seconds of the whole sweep, and its values in the order of the sets."""
    started = perf_counter()
    refs = [workers[i % len(workers)].expectation.remote(angles) for i, angles in enumerate(sets)]
    values = [value for value, _ in ray.get(refs)]
    return perf_counter() - started, values


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, help="file for the table")
    parser.add_argument("--circuits", type=int, default=200)
    parser.add_argument("--qubits", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    circuit = real_amplitudes(arguments.qubits, reps=3, entanglement="linear")
    sets = np.random.default_rng(0).uniform(-np.pi, np.pi, (arguments.circuits, circuit.num_parameters))
    cores = physical_cores()
    with ExitStack() as stack:
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        stack.callback(cluster.shutdown)
        ids = bound_nodes(cluster, cores)
        ray.init(address=cluster.address, log_to_driver=False)
        stack.callback(ray.shutdown)
        actor = ray.remote(num_cpus=1, resources={"quantum": 1})(Worker)
        workers = [
            actor.options(scheduling_strategy=NodeAffinitySchedulingStrategy(i, soft=False)).remote(circuit)
            for i in ids
        ]
        bound = [ray.get(worker.expectation.remote(sets[0]))[1] for worker in workers]
        if bound != [[core] for core in cores]:
            raise RuntimeError(f"workers run on the cores {bound}, not on one of {cores} each")
        counts = sorted({1, len(cores)})
        runs = {n: [sweep_s(workers[:n], sets) for _ in range(arguments.rounds)] for n in counts}
    expected = runs[1][0][1]
    rows = []
    for nodes, found in runs.items():
        for _, values in found:
            np.testing.assert_allclose(values, expected, atol=1e-9)
        seconds = min(s for s, _ in found)
        share = min(s for s, _ in runs[1]) / seconds / nodes
        rows.append((nodes, arguments.circuits, arguments.qubits, seconds, share))
        print(f"{nodes:3} nodes: {arguments.circuits} circuits in {seconds:7.3f} s, {share:.2f} of linear")
    csv_rows.write(arguments.csv, [dict(zip(COLUMNS, row, strict=True)) for row in rows])
    if len(cores) == 1:
        print("one physical core: nothing to scale over")
    return 0 if rows[-1][-1] >= LEAST_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
