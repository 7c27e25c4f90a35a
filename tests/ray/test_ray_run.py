"""Plans on a Ray cluster of two nodes: same results as here, and what happens when something dies."""

import os
import signal
import time

import numpy as np
import pytest
from cluster_nodes import add, double, fragile, in_place, invert, process
from plans_by_hand import plan_of

import hetero as ht
from hetero.errors import NodeError
from hetero.run.compile import compile_program
from hetero.run.ray_cluster import RayExecutor, machine_from_ray
from hetero.run.ray_connection import living_nodes
from hetero.run.session import Session

pytestmark = pytest.mark.ray

THERE = "n1:cpu/python"


@pytest.fixture(scope="module")
def machine(cluster):
    return machine_from_ray(cluster.address)


@pytest.fixture
def open_session(cluster, machine):
    opened = []

    def open_session(graph, **options):
        plan = plan_of(graph, on=machine, **options)
        opened.append(Session(plan, RayExecutor(compile_program(plan), machine, cluster.address)))
        return opened[-1]

    yield open_session
    for session in opened:
        session.close()


@ht.pipeline
def diamond(x):
    a = double(x)
    b = double(a)
    return {"sum": add(b, a), "mapped": ht.map(lambda item: add(item, 1), [a, b])}


DIAMOND = {"double": (0, 1), "double#2": (1, 2), "map#1": (2, 3), "add": (2, 3)}


def test_results_are_those_of_a_local_run(open_session):
    """Over two nodes, with arrays small and large, results are equal and the caller's own."""
    graph = diamond.trace()
    local = Session(plan_of(graph))
    session = open_session(graph, devices={"double#2": THERE, "add": THERE}, times=DIAMOND)
    for x in (3, np.arange(5), np.ones(200_000)):
        here, there = local.call((x,)), session.call((x,))
        np.testing.assert_array_equal(here["sum"], there["sum"])
        for a, b in zip(here["mapped"], there["mapped"], strict=True):
            np.testing.assert_array_equal(a, b)
    assert there["sum"].flags.writeable
    assert [r["sum"] for r in session.stream(range(20))] == [6 * x for x in range(20)]
    assert session.stats()["double#2"].calls == 23
    local.close()


def test_each_site_has_an_actor_of_its_own(open_session):
    """Nodes placed on two nodes of the cluster run in two processes, none of them the driver's."""

    @ht.pipeline
    def where(x):
        return process(x), process(x)

    session = open_session(where.trace(), devices={"process#2": THERE})
    here, there = session.call((1,))
    assert len({here, there, os.getpid()}) == 3


def test_one_pipeline_may_be_open_twice(open_session):
    """A plan made again is opened while the one before still answers: what both reserve has different names."""

    @ht.pipeline
    def chain(x):
        return double(x)

    before = open_session(chain.trace())
    after = open_session(chain.trace(), devices={"double": THERE})
    assert (before.call((1,)), after.call((1,))) == (2, 2)


def test_a_node_may_change_its_input_as_it_may_here(open_session):
    """Arrays from the object store are handed on as copies that a node may write to."""

    @ht.pipeline
    def chain(x):
        return in_place(double(x))

    session = open_session(chain.trace(), devices={"in_place": THERE})
    np.testing.assert_array_equal(session.call((np.zeros(200_000),)), np.ones(200_000))


def test_an_error_names_the_node_and_shows_the_users_line(open_session):
    """As here: NodeError, the user's own error as its cause, other requests unharmed."""

    @ht.pipeline
    def chain(x):
        return double(invert(double(x)))

    session = open_session(chain.trace(), devices={"invert": THERE})
    with pytest.raises(NodeError, match="node 'invert' failed: ZeroDivisionError") as found:
        session.call((0,))
    assert isinstance(found.value.__cause__, ZeroDivisionError)
    assert "the user's line" in "".join(found.value.__cause__.__notes__)
    assert session.call((2,)) == 0.5


def test_a_killed_actor_is_made_again_and_its_requests_are_run_again(open_session, tmp_path):
    """A process that dies under a request, or between two, costs nobody an answer."""

    @ht.pipeline
    def chain(x, marker):
        return process(double(x)), fragile(double(x), marker)

    session = open_session(chain.trace(), devices={"process": THERE, "fragile": THERE})
    marker = str(tmp_path / "died")
    first, y = session.call((1, marker))
    assert y == 3
    assert any(event.kind == "restart" for event in session.events)
    os.kill(first, signal.SIGKILL)
    items = [ht.args(x, marker) for x in range(30)]
    assert [y for _, y in session.stream(items, in_flight=8)] == [2 * x + 1 for x in range(30)]


def test_a_lost_node_is_done_without(open_session, cluster):
    """When a node leaves the cluster, its stages move to another one and every request is answered."""
    extra = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    machine = machine_from_ray(cluster.address)
    names = {p.node: p.name for p in machine.processors if p.kind == "cpu"}
    (site,) = (name for node, name in names.items() if node == extra.node_id)

    @ht.pipeline
    def chain(x):
        return double(add(double(x), 1))

    plan = plan_of(chain.trace(), on=machine, devices={"add": f"{site}/python"})
    with Session(plan, RayExecutor(compile_program(plan), machine, cluster.address)) as session:
        results = session.stream(range(20), in_flight=4)
        found = [next(results) for _ in range(5)]
        cluster.remove_node(extra, allow_graceful=False)
        found += [next(results) for _ in range(10)]
        while extra.node_id in {node["NodeID"] for node in living_nodes()}:
            time.sleep(0.1)
        assert found + list(results) == [4 * x + 2 for x in range(20)]
        assert session.call((1,)) == 6
        assert any(event.kind == "moved" for event in session.events)
