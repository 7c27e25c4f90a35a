"""A node that raises."""

import threading
import traceback
from dataclasses import replace

import numpy as np
import pytest
from plans_by_hand import PYTHON, machine, plan_of
from tiny_models import affine

import hetero as ht
from hetero.errors import NodeError
from hetero.plans import MicroBatch
from hetero.run.session import Session


@ht.node
def invert(x):
    return 1 / x  # the user's line


@ht.node
def double(x):
    return 2 * x


@ht.pipeline
def ratio(x):
    return double(invert(double(x)))


@ht.pipeline
def forked(x):
    return double(invert(x)), double(x)


FORKED = {"invert": (0, 1), "double": (1, 2), "double#2": (0, 2)}


def trace_of(error):
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(("pipeline", "times"), [(ratio, None), (forked, FORKED)])
def test_the_error_names_the_node_and_shows_the_users_line(pipeline, times):
    """NodeError names the node; its cause keeps the user's traceback, and the program's line reads as a call."""
    with Session(plan_of(pipeline.trace(), times=times)) as session:
        for run in (lambda: session.call((0,)), lambda: session.submit((0,)).result()):
            with pytest.raises(
                NodeError, match="node 'invert' failed: ZeroDivisionError: division by zero"
            ) as found:
                run()
            assert found.value.node == "invert"
            assert isinstance(found.value.__cause__, ZeroDivisionError)
            text = trace_of(found.value)
            assert "the user's line" in text
            assert "invert(v" in text
        assert session.call((1,))


def test_an_error_inside_a_map_has_the_path_of_the_inner_node():
    """The innermost node is named, over several lanes too, and the other lanes stop."""
    seen = []

    @ht.node
    def picky(x):
        seen.append(x)
        if x == 3:
            raise ValueError("three")
        return x

    @ht.pipeline
    def mapped(xs):
        return ht.map(picky, xs)

    graph = mapped.trace()
    (path,) = (node.name for node in graph)
    for lanes in (1, 2):
        with Session(plan_of(graph, lanes={path: lanes})) as session:
            with pytest.raises(NodeError) as found:
                session.call((list(range(1000)),))
            assert found.value.node == f"{path}/picky"
            assert session.call(([1, 2],)) == [1, 2]
        assert len(seen) < 1000
        seen.clear()


def test_other_requests_are_not_harmed():
    """Of many requests in flight only the failing ones fail."""
    with Session(plan_of(forked.trace(), times=FORKED)) as session:
        futures = [session.submit((x,)) for x in (1, 0, 2, 0, 4)]
        outcomes = [future.exception() or future.result() for future in futures]
    assert [isinstance(outcome, NodeError) for outcome in outcomes] == [False, True, False, True, False]
    assert outcomes[4] == (0.5, 8)


def test_a_failed_request_holds_no_values():
    """The error keeps the user's frames for a debugger, not the values of the request."""
    import gc
    import weakref

    class Big:
        pass

    alive = []

    @ht.node
    def make(x):
        big = Big()
        alive.append(weakref.ref(big))
        return big

    @ht.node
    def fail(x, y):
        del x
        raise RuntimeError("no")

    @ht.pipeline
    def chain(x):
        big = make(x)
        return fail(1, 2), big

    with Session(plan_of(chain.trace())) as session, pytest.raises(NodeError) as found:
        session.call((1,))
    gc.collect()
    assert found.value.__cause__ is not None
    assert alive[0]() is None


def test_a_wrong_number_of_outputs_is_the_nodes_error():
    """A node that returns less than it declares is named."""

    @ht.node(outputs=2)
    def two(x):
        return (x,)

    @ht.pipeline
    def pair(x):
        return two(x)

    with Session(plan_of(pair.trace())) as session, pytest.raises(NodeError, match=r"two.*returned 1 values"):
        session.call((1,))


def test_ctrl_c_is_not_a_nodes_error():
    """KeyboardInterrupt in the caller's thread comes out as itself."""

    @ht.node
    def interrupted(x):
        raise KeyboardInterrupt

    @ht.pipeline
    def single(x):
        return interrupted(x)

    with Session(plan_of(single.trace())) as session, pytest.raises(KeyboardInterrupt):
        session.call((1,))


def test_a_cancelled_request_stops_before_its_next_stage():
    """Cancelling a future drops what has not begun; the session goes on."""
    began, go_on, ran = threading.Event(), threading.Event(), []

    @ht.node
    def first(x):
        began.set()
        go_on.wait(10)
        return x

    @ht.node
    def second(x):
        ran.append(x)
        return x

    @ht.pipeline
    def steps(x):
        return second(first(x))

    with Session(plan_of(steps.trace(), cores={"second": 2})) as session:
        future = session.submit((1,))
        assert began.wait(10)
        assert future.cancel()
        go_on.set()
        assert session.submit((2,)).result(10) == 2
    assert ran == [2]


@ht.node
def inverse(x):
    return 1 / x


@ht.pipeline
def inverses(xs):
    return ht.map(lambda x: inverse(x), xs, errors="return")


@pytest.mark.parametrize("lanes", [1, 3])
def test_an_item_may_give_its_error_in_its_place(lanes):
    """The other items are not touched, and each error names its node and has its cause."""
    graph = inverses.trace()
    with Session(plan_of(graph, lanes={"map#1": lanes})) as session:
        for values in (session.call(([2, 0, 4, 0],)), graph.run([2, 0, 4, 0]), inverses([2, 0, 4, 0])):
            assert values[0::2] == [0.5, 0.25]
            assert all(isinstance(value, NodeError) for value in values[1::2])
            assert isinstance(values[1].__cause__, ZeroDivisionError)
        assert session.call(([0],))[0].node == "map#1/inverse"
        assert session.counts.failed == 0


def test_an_item_that_fails_fails_its_request_unless_asked():
    """The default, and what anything else than the two words is answered with."""
    graph = ht.pipeline(lambda xs: ht.map(lambda x: inverse(x), xs)).trace()
    with Session(plan_of(graph)) as session, pytest.raises(NodeError, match="map#1/inverse"):
        session.call(([2, 0],))
    with pytest.raises(LookupError, match="raise, return"):
        ht.map(inverse, [1], errors="ignore")


def test_a_map_with_errors_in_place_is_planned_and_kept(tmp_path):
    """Errors on the sample are compared as errors, and a graph file says which kind of map it is."""
    with ht.plan(inverses, [1, 0]) as plan:
        found = plan([0, 4])
        assert isinstance(found[0], NodeError)
        assert found[1] == 0.25
    graph = inverses.trace()
    graph.save(tmp_path / "graph.zip")
    assert ht.Graph.load(tmp_path / "graph.zip", code=graph).digest == graph.digest
    assert graph.digest != ht.pipeline(lambda xs: ht.map(lambda x: inverse(x), xs)).trace().digest


REFERENCE = replace(PYTHON, name="cpu/reference", engine="reference", kinds=("onnx",))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            np.zeros((1, 5), np.float32),
            r"found float32\[1,5\], expected float32\[rows,4\]: size 4 in dimension 1",
        ),
        (np.zeros(4, np.float32), r"found float32\[4\], expected float32\[rows,4\]: 2 dimensions"),
    ],
)
@pytest.mark.parametrize("together", [False, True], ids=["alone", "together"])
def test_an_input_that_does_not_fit_a_model_is_told_in_its_own_words(value, words, together):
    """Node, found and expected instead of what the engine says, which is the cause; also where requests share calls."""
    graph = ht.pipeline(lambda x: affine()(x)).trace()
    plan = plan_of(graph, devices={"affine": REFERENCE.name}, on=machine(REFERENCE))
    if together:
        plan = replace(plan, micro_batches={"affine": MicroBatch(4, 0.01)})
    with Session(plan) as session:
        with pytest.raises(NodeError, match=rf"^node 'affine' failed: input 'x': {words}$") as found:
            session.call((value,))
        assert found.value.__cause__ is not None
        session.call((np.zeros((1, 4), np.float32),))


def test_an_error_that_is_not_the_inputs_fault_keeps_its_words():
    """What a function raises is never taken for an input that does not fit; nor is a want of memory."""

    @ht.node
    def full(x):
        raise MemoryError("no room for the weights")

    graph = ht.pipeline(lambda x: full(x)).trace()
    words = "node 'full' failed: MemoryError: no room for the weights"
    with Session(plan_of(graph)) as session, pytest.raises(NodeError, match=words):
        session.call((1,))
