"""How long a part that dies holds up a plan on a Ray cluster: ``python benchmarks/ray_recovery.py [--csv FILE]``.

Requests flow all the time, 8 under way. Something is killed; *recovery* is the longest that a request waits from then
on, or until what replaces a dead process stands, whichever is longer. *Killed* is SIGKILL. A node of a test cluster
that is killed closes its connections, which one that lost its power does not: so a node is *frozen* as well (SIGSTOP
to all its processes), and only Ray's health check finds out. A plan has one node of its own, or replicas on all.
The last row is what deciding again for the nodes that are left takes, with what is already measured.

Ends with status 1 where a request has no answer, a wrong one or two, or a limit is not kept.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import csv_rows
import numpy as np
import ray
from ray.cluster_utils import Cluster

import hetero as ht
from hetero.cost.store import ProfileStore
from hetero.run.ray_machine import look_at_cluster
from hetero.run.ray_plan import decided_for

HEALTH = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 5000,
    "health_check_failure_threshold": 3,
}
"""As docs/ray.md has them."""
IN_FLIGHT = 8
BEFORE, AFTER = 60, 60
ACTOR_LIMIT_S, NODE_LIMIT_S, DECIDE_LIMIT_S = 10.0, 30.0, 1.0
ONE = {"place": "one"}
LABELS = (ONE, {}, {})
"""Of the nodes: one has a label of its own, so that a plan can be made for it alone."""


@ht.node
def double(x: float) -> float:
    return 2 * float(np.linalg.norm(np.full(200_000, x)) / np.sqrt(200_000))


@ht.node
def process(x: float) -> int:
    return os.getpid()


@ht.node
def node_id(x: float) -> str:
    """Nothing where it is tried out on the driver, which need not be on the cluster yet."""
    import ray

    return ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""


@ht.pipeline
def where(x: float) -> Any:
    return double(x), process(x), node_id(x)


@dataclass(frozen=True, slots=True)
class Row:
    """``requests`` were answered right, each once; ``again`` of them after a run that was lost."""

    died: str
    plan: str
    recovery_s: float
    limit_s: float
    requests: int
    again: int


@dataclass(frozen=True, slots=True)
class Answer:
    begun_s: float
    ended_s: float
    pid: int
    node: str


class Load:
    """Requests with the numbers from 1 on, always ``IN_FLIGHT`` of them under way."""

    def __init__(self, plan: ht.Plan) -> None:
        self._plan = plan
        self._flying: dict[Future[Any], tuple[int, float]] = {}
        self._numbers = itertools.count(1)
        self.answers: dict[int, Answer] = {}
        """In the order in which they came."""

    @property
    def latest(self) -> list[Answer]:
        return list(self.answers.values())[-AFTER:]

    def run(self, more: Callable[[], bool]) -> None:
        """Begin requests as long as there are to be more, and collect what is answered meanwhile."""
        while more():
            while len(self._flying) < IN_FLIGHT:
                number = next(self._numbers)
                self._flying[self._plan.submit(float(number))] = (number, time.time())
            self._collect()

    def finish(self) -> None:
        while self._flying:
            self._collect()
        if set(self.answers) != set(range(1, next(self._numbers))):
            raise RuntimeError(f"{len(self.answers)} requests are answered, and some are not")

    def _collect(self) -> None:
        done, _ = wait(self._flying, return_when=FIRST_COMPLETED)
        for future in done:
            number, begun_s = self._flying.pop(future)
            value, pid, node = future.result()
            if number in self.answers or not np.isclose(value, 2 * number):
                raise RuntimeError(f"request {number} is answered twice or wrongly: {value}")
            self.answers[number] = Answer(begun_s, time.time(), pid, node)


def recovery(plan: ht.Plan, kill: Callable[[Answer], None]) -> tuple[float, int]:
    """Seconds of it where what has just answered is killed, and the requests in all."""
    load = Load(plan)
    load.run(lambda: len(load.answers) < BEFORE)
    victim, killed_s = load.latest[-1], time.time()
    kill(victim)
    load.run(lambda: any(a.pid == victim.pid for a in load.latest) or _in_repair(plan, killed_s))
    load.finish()
    waits_s = [a.ended_s - max(a.begun_s, killed_s) for a in load.answers.values() if a.ended_s > killed_s]
    back_s = [e.time_s - killed_s for e in plan.events if e.kind == "restarted" and e.time_s > killed_s]
    return max(waits_s + back_s), len(load.answers)


def _in_repair(plan: ht.Plan, since_s: float) -> bool:
    kinds = [event.kind for event in plan.events if event.time_s > since_s]
    return kinds.count("restart") > kinds.count("restarted") + kinds.count("lost")


class Nodes:
    """The cluster: a head without work, and nodes of one core."""

    def __init__(self) -> None:
        head = {"num_cpus": 0, "include_dashboard": False, "_system_config": HEALTH}
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        self._nodes: dict[int, Any] = {}
        self._frozen: Any = None
        self.fill()

    def fill(self) -> None:
        """Start what is missing, and wait until Ray knows what is gone."""
        for number, labels in enumerate(LABELS):
            if number not in self._nodes:
                self._nodes[number] = self.cluster.add_node(num_cpus=1, labels=labels)
        self.cluster.wait_for_nodes()

    def kill(self, answer: Answer) -> None:
        self.cluster.remove_node(self._nodes.pop(self._number(answer)), allow_graceful=False)

    def freeze(self, answer: Answer) -> None:
        """Nothing of the node answers any more, while all of its connections stay open."""
        self._frozen = self._nodes.pop(self._number(answer))
        for pid in processes(self._frozen):
            os.kill(pid, signal.SIGSTOP)

    def bury(self) -> None:
        """End the node that was frozen, if any; its workers cannot notice by themselves that it is gone."""
        if self._frozen is not None:
            for pid in processes(self._frozen):
                os.kill(pid, signal.SIGKILL)
            self.cluster.remove_node(self._frozen, allow_graceful=False)
            self._frozen = None

    def close(self) -> None:
        self.bury()
        self.cluster.shutdown()

    def _number(self, answer: Answer) -> int:
        return next(number for number, node in self._nodes.items() if node.node_id == answer.node)


def processes(node: Any) -> list[int]:
    """Ray's process of a node and all that it has started, as Linux lists them."""

    def family(pid: int) -> list[int]:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        return [pid, *(descendant for child in children for descendant in family(int(child)))]

    return [pid for raylet in node.all_processes["raylet"] for pid in family(raylet.process.pid)]


def kill_actor(answer: Answer) -> None:
    os.kill(answer.pid, signal.SIGKILL)


def deciding_s(plan: ht.Plan, address: str) -> float:
    """Seconds to decide for the nodes that there are now; looking at them and opening the plan are not in it."""
    with ProfileStore() as store:
        cluster = look_at_cluster(address)
        started_s = time.perf_counter()
        decided_for(plan, cluster, store)
        return time.perf_counter() - started_s


def measured(nodes: Nodes) -> list[Row]:
    address = nodes.cluster.address
    opened = {
        "one node": lambda: ht.plan(where, 1.0).on_ray(address, labels=ONE),
        "replicas": lambda: ht.plan(where, 1.0, objective="throughput").on_ray(address),
    }
    deaths = {
        "actor killed": (kill_actor, ACTOR_LIMIT_S),
        "node killed": (nodes.kill, NODE_LIMIT_S),
        "node frozen": (nodes.freeze, NODE_LIMIT_S),
    }
    rows: list[Row] = []

    def add(row: Row) -> None:
        rows.append(row)
        print(
            f"{row.died:14}  {row.plan:10}  {row.recovery_s:6.2f} s of {row.limit_s:4.0f}  "
            f"{row.requests:5} requests, {row.again} run again",
            flush=True,
        )

    for (died, (kill, limit_s)), (name, open_plan) in itertools.product(deaths.items(), opened.items()):
        nodes.fill()
        with open_plan() as plan:
            seconds, requests = recovery(plan, kill)
            add(Row(died, name, seconds, limit_s, requests, plan.session.counts.retried))
            if died == "node killed" and name == "replicas":
                decided_s = deciding_s(plan, address)
                add(Row("deciding again", "nodes left", decided_s, DECIDE_LIMIT_S, 0, 0))
        nodes.bury()
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, help="file for the table")
    arguments = parser.parse_args()
    logging.getLogger("hetero.run").setLevel(logging.ERROR)
    nodes = Nodes()
    try:
        ray.init(address=nodes.cluster.address, logging_level=logging.ERROR, log_to_driver=False)
        rows = measured(nodes)
    finally:
        ray.shutdown()
        nodes.close()
    csv_rows.write(arguments.csv, [asdict(row) for row in rows])
    return int(any(row.recovery_s > row.limit_s for row in rows))


if __name__ == "__main__":
    sys.exit(main())
