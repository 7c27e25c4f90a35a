"""Copies into other memories that are made while nodes compute."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from plans_by_hand import PYTHON, info, machine, plan_of

import hetero as ht
from hetero.errors import NodeError
from hetero.machine import Link
from hetero.planning.evidence import Evidence, SeenCall
from hetero.run.compile import compile_program
from hetero.run.program import Move, walk
from hetero.run.session import Session
from hetero.values import spec_of

FAR = info("far", processor="far0", memory_space="far0", concurrency=1)
SLOW = (Link("host", "far0", 0.01, 1e9), Link("far0", "host", 0.01, 1e9))
X = np.arange(3.0)


@ht.node
def add(x, y):
    return x + y


@ht.node
def double(x):
    return 2 * x


class Watched:
    """The far memory, which tells when a copy has been made, and can be made to fail."""

    space = "far0"

    def __init__(self, memory):
        self.memory, self.copied, self.broken = memory, threading.Semaphore(0), False

    def put(self, value):
        if self.broken:
            raise MemoryError("the far memory is full")
        return self._made(self.memory.put(value))

    def get(self, value):
        return self._made(self.memory.get(value))

    def _made(self, copy):
        self.copied.release()
        return copy

    def busy(self, copies=1):
        """A node that ends when so many copies have been made: none of them can have waited for its end."""

        def busy(x):
            for _ in range(copies):
                assert self.copied.acquire(timeout=30), "nothing was copied while this node was running"
            return x

        return ht.node(busy)


@pytest.fixture
def memory(far_engine, monkeypatch):
    watched = Watched(far_engine.MEMORY)
    monkeypatch.setattr(far_engine.FarDevice, "memory", watched)
    return watched


def plan_far(pipeline, far, times=None, links=SLOW, seen=True):
    """A plan with the nodes ``far`` in the far memory; each node was seen to take and give arrays like ``X``."""
    graph = pipeline.trace()
    calls = {
        path: (SeenCall((spec_of(X),) * len(node.op.inputs), (spec_of(X),), 1),)
        for path, node in graph.walk()
    }
    on = replace(machine(PYTHON, FAR), links=links)
    plan = plan_of(graph, devices=dict.fromkeys(far, FAR.name), times=times, on=on)
    return replace(plan, evidence=Evidence(1, calls, {}, {})) if seen else plan


def begun_early(plan):
    """The makers of the values whose copies are begun early."""
    blocks = [stage.block for stage in compile_program(plan).stages]
    return [i.path or "input" for block in blocks for i in walk(block) if isinstance(i, Move) and i.early]


def test_an_input_is_copied_while_the_nodes_before_its_taker_run(far_engine, memory):
    """In the caller's thread and in a lane's, once for both of its takers."""
    busy = memory.busy()
    plan = plan_far(ht.pipeline(lambda x: add(add(busy(x), x), x)), ["add", "add#2"])
    assert begun_early(plan) == ["input"]
    with Session(plan) as session:
        session.tracing = True
        for run in (session.call, lambda args: session.submit(args).result(30)):
            far_engine.copies.clear()
            np.testing.assert_array_equal(run((X,)), 3 * X)
            assert far_engine.copies == {"put": 2, "get": 1}
            assert memory.copied.acquire(timeout=30)
            assert memory.copied.acquire(timeout=30)
        assert session.stats()["input host -> far0"].calls == 2
        spans = {span.path: span for span in session.trace}
    assert spans["input host -> far0"].processor == "far0"
    assert spans["input host -> far0"].end_s <= spans["busy"].end_s


def test_a_result_is_copied_while_the_next_node_of_its_lane_runs(far_engine, memory):
    """The lane goes on at once; both far takers have the one copy."""
    busy = memory.busy(copies=2)

    @ht.pipeline
    def pipeline(x):
        a = double(x)
        far = double(a)
        return add(busy(a), 0), far, double(a)

    times = {"double": (0, 1), "double#2": (1, 2), "busy": (1, 3), "double#3": (4, 5), "add": (3, 4)}
    plan = plan_far(pipeline, ["double#2", "double#3"], times)
    with Session(plan) as session:
        far_engine.copies.clear()
        for found, times_x in zip(session.call((X,)), (2, 4, 4), strict=True):
            np.testing.assert_array_equal(found, times_x * X)
    assert far_engine.copies == {"put": 1, "get": 2}


def test_a_result_comes_back_while_the_far_device_goes_on(far_engine, memory):
    """Also to the caller, who takes it when all nodes have ended."""
    busy = memory.busy(copies=2)  # the copy in, and the one back

    @ht.pipeline
    def pipeline(x):
        a = double(x)
        return a, busy(a)

    plan = plan_far(pipeline, ["double", "busy"])
    assert begun_early(plan) == ["double"]
    with Session(plan) as session:
        first, second = session.call((X,))
    np.testing.assert_array_equal(first, second)
    assert far_engine.copies == {"put": 1, "get": 2}


QUICK = tuple(replace(link, latency_s=1e-6) for link in SLOW)


@pytest.mark.parametrize(
    ("far", "known"),
    [
        (["add"], {"links": QUICK}),
        (["add"], {"links": ()}),
        (["add"], {"seen": False}),
        (["double", "add"], {}),
    ],
    ids=["quick", "no link", "no sizes", "nothing meanwhile"],
)
def test_what_a_hand_over_would_not_pay_for_is_copied_in_place(far_engine, far, known):
    """Quick copies, those of unknown time, and those that nothing would hide."""
    pipeline = ht.pipeline(lambda x: add(double(x), x))
    plan = plan_far(pipeline, far, **known)
    assert begun_early(plan) == []
    with Session(plan) as session:
        np.testing.assert_array_equal(session.call((X,)), 3 * X)


def test_nobody_waits_for_a_node_only_because_a_copy_could_begin_with_it(far_engine):
    """A copy is begun with a node that its taker waits for anyhow, however long others have been running."""

    @ht.pipeline
    def pipeline(x, y):
        return double(x), add(double(x), y)

    times = {"double": (0, 9), "double#2": (1, 2), "add": (2, 3)}
    program = compile_program(plan_far(pipeline, ["add"], times))
    (taker,) = (stage for stage in program.stages if stage.lane.processor == "far0")
    (before,) = (program.stages[i] for i in taker.waits_for)
    assert [i.path for i in walk(before.block) if isinstance(i, Move) and i.early] == [""]
    assert "double#2" in str(program).split(f"stage {before.index} ")[1].split("stage")[0]


def test_a_copy_that_fails_is_its_requests_error(far_engine, memory):
    """Its own only: the next request is answered."""
    plan = plan_far(ht.pipeline(lambda x: add(double(x), x)), ["add"])
    assert begun_early(plan) == ["input"]
    with Session(plan) as session:
        memory.broken = True
        with pytest.raises(NodeError, match="the far memory is full"):
            session.call((X,))
        memory.broken = False
        np.testing.assert_array_equal(session.call((X,)), 3 * X)
