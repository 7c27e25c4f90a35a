"""Values in memory that is not the host's."""

from dataclasses import replace

import numpy as np
import pytest
from plans_by_hand import PYTHON, info, machine, plan_of

import hetero as ht
from hetero.device import HOST
from hetero.run.session import Session


@ht.node
def double(x):
    return 2 * x


@ht.node
def add(x, y):
    return x + y


@ht.pipeline
def chain(x):
    a = double(double(x))  # host, far
    b = add(double(a), 1)  # far, far, with a constant
    return double(b), add(a, b)  # host, host


FAR = info("far", processor="far0", memory_space="far0", concurrency=1)
THERE = dict.fromkeys(["double#2", "double#3", "add"], "far0/far")
TIMES = {
    "double": (0, 1),
    "double#2": (1, 2),
    "double#3": (2, 3),
    "add": (3, 4),
    "double#4": (4, 5),
    "add#2": (4, 5),
}


@pytest.mark.parametrize("isolation", ["inline", "thread"])
@pytest.mark.parametrize("times", [None, TIMES], ids=["straight", "lanes"])
def test_tensors_stay_on_their_device_and_are_copied_once(far_engine, isolation, times):
    """One copy in, one copy out of each value that the host needs, none between nodes of one space."""
    on = machine(PYTHON, replace(FAR, isolation=isolation))
    with Session(plan_of(chain.trace(), devices=THERE, on=on, times=times)) as session:
        far_engine.copies.clear()  # the constant was put when the session was opened
        x = np.arange(3.0)
        for y, expected in zip(session.call((x,)), chain.trace().run(x), strict=True):
            np.testing.assert_array_equal(y, expected)
        assert far_engine.copies == {"put": 1, "get": 2}
        assert session.stats()["double#2"].nbytes == x.nbytes
        assert session.stats()["double"].nbytes == x.nbytes
        session.call((x,))
        shapes = {path: found.shapes for path, found in session.stats().items() if "->" not in path}
        assert {path for path, found in shapes.items() if not found} == set(THERE)  # handles have none


def test_what_a_caller_gives_and_gets_is_on_the_host(far_engine):
    """A pipeline that lives on a foreign device takes and returns host values."""

    @ht.pipeline
    def all_far(x):
        return [double(x), double(double(x))]

    there = {path: "far0/far" for path, _ in all_far.trace().walk()}
    with Session(plan_of(all_far.trace(), devices=there, on=machine(PYTHON, FAR))) as session:
        first, second = session.call((np.ones(2),))
    np.testing.assert_array_equal(first, [2, 2])
    np.testing.assert_array_equal(second, [4, 4])
    assert far_engine.copies == {"put": 1, "get": 2}
    assert HOST.put(first) is first


def test_maps_over_a_foreign_device_move_each_item(far_engine):
    """Items are host values; inside the map each goes to the device and its result comes back."""

    @ht.pipeline
    def mapped(xs):
        return ht.map(lambda x: double(double(x)), xs)

    graph = mapped.trace()
    there = {path: "far0/far" for path, node in graph.walk() if node.op.kind == "function"}
    with Session(plan_of(graph, devices=there, on=machine(PYTHON, FAR), lanes={"map#1": 2})) as session:
        assert [int(y) for y in session.call(([1, 2, 3],))] == [4, 8, 12]
    assert far_engine.copies == {"put": 3, "get": 3}
