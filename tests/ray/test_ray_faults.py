"""What happens on a cluster of three nodes when a part of it dies, slows down, fills up, or joins."""

import os
import random
import signal
import time

import numpy as np
import pytest
from cluster_nodes import add, double, node_id, process, slow_on, total
from plans_by_hand import plan_of

import hetero as ht
from hetero.errors import UnavailableError
from hetero.run.compile import compile_program
from hetero.run.ray_cluster import RayExecutor, machine_from_ray
from hetero.run.ray_machine import look_at_cluster
from hetero.run.ray_plan import lacking_notes
from hetero.run.replicas import sites_of
from hetero.run.session import Session
from hetero.run.sites import site_of

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def seen(cluster):
    return look_at_cluster(cluster.address)


@pytest.fixture
def replicated(cluster, seen):
    """Opens a pipeline on the driver's node, with a replica on each other one."""
    opened = []

    def replicated(pipeline):
        plan = plan_of(pipeline.trace(), on=seen.machine)
        executor = RayExecutor(compile_program(plan), seen.machine, cluster.address, replicate=True)
        opened.append(Session(plan, executor))
        return opened[-1], executor

    yield replicated
    for session in opened:
        session.close()


def kinds(session):
    return {event.kind for event in session.events}


def test_a_thousand_requests_survive_two_random_kills(replicated):
    """Each is answered once, in its place, with the right value; the dead actors are made again."""

    @ht.pipeline
    def where(x):
        return add(double(x), 1), process(x)

    session, _ = replicated(where)
    chosen = random.Random(8)
    deadly = set(chosen.sample(range(50, 900), 2))
    answers = []
    for i, (value, pid) in enumerate(session.stream(range(1000), in_flight=16)):
        answers.append(value)
        if i in deadly:
            os.kill(pid, signal.SIGKILL)
    assert answers == [2 * i + 1 for i in range(1000)]
    assert session.counts.retried >= 1
    assert "restart" in kinds(session)


def test_a_slow_node_is_noticed_and_its_share_moves(replicated, seen):
    """Of equal nodes the one that takes ten times as long does the least, and an event names it."""

    @ht.pipeline
    def pace(x, slow):
        return slow_on(x, slow)

    session, executor = replicated(pace)
    slow = next(p for p in seen.machine.processors if p.name == "n1:cpu").node
    list(session.stream([ht.args(i, slow) for i in range(300)], in_flight=9))
    (shares,) = executor.shares.values()
    assert sum(shares.values()) == 300
    assert shares["n1"] < 0.5 * max(shares["driver"], shares["n2"])
    assert "n1" in {event.subject for event in session.events if event.kind == "slow"}


def test_inputs_that_would_fill_the_object_store_wait(replicated):
    """More bytes in flight than the driver's store holds: every request is answered, the store keeps its free part."""

    @ht.pipeline
    def sums(x):
        return total(x)

    session, executor = replicated(sums)
    pages = (np.full(1_000_000, i, np.float64) for i in range(30))  # 240 MB, for a store of 80
    assert list(session.stream(pages, in_flight=30)) == [1e6 * i for i in range(30)]
    assert 8_000_000 <= executor.most_stored_nbytes <= 20_000_000


def test_a_node_that_was_added_is_used_after_planning_again_and_may_be_lost_again(cluster):
    """A plan keeps to its nodes; planned again it has a replica on the new one; when that dies, the others go on."""

    @ht.pipeline
    def where(x):
        return add(double(x), 1), node_id(x)

    with ht.plan(where, 1, objective="throughput").on_ray(cluster.address) as before:
        extra = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        assert extra.node_id not in {node for _, node in before.stream(range(40))}
    with before.on_ray(cluster.address) as after:
        results = after.stream(range(300), in_flight=8)
        found = [next(results) for _ in range(60)]
        assert extra.node_id in {node for _, node in found}
        cluster.remove_node(extra, allow_graceful=False)
        found += list(results)
        assert [value for value, _ in found] == [2 * i + 1 for i in range(300)]
        # Processes of a node that is killed answer on for a moment.
        ends = time.monotonic() + 60
        while extra.node_id in {node for _, node in after.stream(range(20))}:
            assert time.monotonic() < ends


def test_a_node_without_an_extra_is_named(seen):
    """The plan's notes name the node, the device and what to install; nothing of it is offered there."""
    with_it = {site_of(d.name) for d in seen.machine.devices if d.engine == "openvino"}
    (without,) = set(sites_of(seen.machine)) - with_it
    (note,) = [note for note in lacking_notes(seen) if note.startswith(f"{without} has no")]
    assert "cpu/openvino" in note
    assert "pip install 'hetero[openvino]'" in note


def test_no_node_with_the_labels_is_an_error_that_lists_those_that_there_are(cluster):
    """As for every name that nothing has; with a label that one node has, that node is the machine."""
    with pytest.raises(UnavailableError, match="tier=lab"):
        machine_from_ray(cluster.address, {"tier": "none"})
    found = machine_from_ray(cluster.address, {"tier": "lab"})
    assert [p.name for p in found.processors if p.kind == "cpu"] == ["n1:cpu"]
