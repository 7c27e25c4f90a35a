"""A node that raises."""

import threading
import traceback

import pytest
from plans_by_hand import plan_of

import hetero as ht
from hetero.errors import NodeError
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
