"""Sessions on hand-made plans: same results as the graph's own run."""

import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
from plans_by_hand import info, machine, plan_of

import hetero as ht
from hetero.errors import ArgumentError, ClosedError, DeviceError
from hetero.run.session import Session


@ht.node
def double(x):
    return 2 * x


@ht.node
def add(x, y):
    return x + y


@ht.node(outputs=2)
def both(x):
    return x, -x


@ht.node
def is_big(x):
    return x > 10


@ht.pipeline
def diamond(x, bias=1):
    a, b = both(x)
    return {"sum": add(double(a), bias), "rest": [double(b), (a, 7)]}


PARALLEL = {"both": (0, 1), "double": (1, 2), "add": (2, 3), "double#2": (1, 3)}


@pytest.mark.parametrize("times", [None, PARALLEL], ids=["one lane", "two lanes"])
def test_results_are_those_of_the_graph(times):
    """Straight or on lanes, containers, constants and defaults come out as the graph alone computes them."""
    with Session(plan_of(diamond.trace(), times=times)) as session:
        for x in (1, 2.5):
            assert session.call((x,)) == diamond.trace().run(x)
            assert session.call((x,), {"bias": 5}) == diamond.trace().run(x, bias=5)
            assert session.submit((x,)).result() == diamond.trace().run(x)


@pytest.mark.parametrize("lanes", [1, 2, 5])
@pytest.mark.parametrize("length", [0, 1, 7])
def test_a_map_keeps_the_order_of_its_items(lanes, length):
    """Any length and any number of lanes give the same list."""

    @ht.pipeline
    def mapped(xs, y):
        return ht.map(lambda x: add(double(x), y), xs)

    graph = mapped.trace()
    path = next(iter(graph)).name
    with Session(plan_of(graph, lanes={path: lanes})) as session:
        assert session.call((list(range(length)), 3)) == [2 * x + 3 for x in range(length)]
        assert session.call((np.arange(length), 3)) == [2 * x + 3 for x in range(length)]


def test_maps_and_branches_nest():
    """A branch inside a map inside a map takes only the side that is its item's."""
    taken = []

    @ht.node
    def note(x):
        taken.append(x)
        return x

    def item(x):
        return ht.branch(is_big(x), lambda: note(x), lambda: double(x))

    @ht.pipeline
    def nested(rows):
        return ht.map(lambda row: ht.map(item, row), rows)

    graph = nested.trace()
    maps = {path: 2 for path, node in graph.walk() if node.op.kind == "map"}
    with Session(plan_of(graph, lanes=maps)) as session:
        assert session.call(([[1, 20], [], [30]],)) == [[2, 20], [], [30]]
    assert sorted(taken) == [20, 30]


def test_one_session_is_called_from_many_threads():
    """Requests of different threads do not mix."""
    wrong = []
    with Session(plan_of(diamond.trace(), times=PARALLEL)) as session:

        def call(start):
            items = range(start, start + 50)
            wrong.extend(x for x in items if session.call((x,))["sum"] != 2 * x + 1)

        threads = [threading.Thread(target=call, args=(1000 * i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_tasks_side_by_side_really_run_at_once():
    """Two nodes that wait for one another both arrive."""
    meeting = threading.Barrier(2, timeout=10)

    @ht.node
    def left(x):
        meeting.wait()
        return x

    @ht.node
    def right(x):
        meeting.wait()
        return x

    @ht.pipeline
    def pair(x):
        return left(x), right(x)

    with Session(plan_of(pair.trace(), times={"left": (0, 1), "right": (0, 1)})) as session:
        assert session.call((1,)) == (1, 1)


def test_the_cores_of_a_processor_are_never_oversubscribed():
    """However many requests are in flight, running tasks hold no more cores than there are."""
    lock, running, most = threading.Lock(), [0], [0]

    def hold(cores, x):
        with lock:
            running[0] += cores
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.001)
        with lock:
            running[0] -= cores
        return x

    @ht.node
    def narrow(x):
        return hold(1, x)

    @ht.node
    def wide(x):
        return hold(2, x)

    @ht.pipeline
    def mixed(x):
        return wide(add(narrow(x), narrow(double(x))))

    times = {"narrow": (0, 1), "double": (0, 0), "narrow#2": (0, 1), "add": (1, 1), "wide": (1, 2)}
    with Session(plan_of(mixed.trace(), times=times, cores={"wide": 2})) as session:
        assert list(session.stream(range(30), in_flight=8)) == [3 * x for x in range(30)]
    assert most[0] == 2


def test_arguments_that_do_not_fit_are_told():
    """A wrong call is an ArgumentError that shows the signature, and harms nothing."""
    with Session(plan_of(diamond.trace())) as session:
        with pytest.raises(ArgumentError, match=r"diamond\(x, bias\) misses its argument 'x'"):
            session.call(())
        assert session.call((1,))["sum"] == 3


def test_closing_is_final_and_may_be_repeated():
    """After close() every use is a ClosedError."""
    session = Session(plan_of(diamond.trace()))
    session.close()
    session.close()
    for use in (lambda: session.call((1,)), lambda: session.submit((1,)), lambda: session.stream([1])):
        with pytest.raises(ClosedError, match="diamond"):
            use()


def test_close_waits_for_the_requests_that_run():
    """A request that was accepted is answered."""
    began, go_on = threading.Event(), threading.Event()

    @ht.node
    def slow(x):
        began.set()
        go_on.wait(10)
        return x

    @ht.pipeline
    def waiting(x):
        return slow(x)

    session = Session(plan_of(waiting.trace()))
    future = session.submit((1,))
    assert began.wait(10)
    closing = threading.Thread(target=session.close)
    closing.start()
    go_on.set()
    closing.join(10)
    assert future.result(0) == 1


def test_what_cannot_be_compiled_fails_at_opening_with_the_node():
    """An engine's refusal names the node that wanted it."""

    class Refusing:
        info, memory = info("no"), None

        def compile(self, op, variant):
            raise DeviceError("no such kernel")

    from hetero.run.compile import compile_program
    from hetero.run.local import LocalExecutor

    on = machine(info("no"))
    plan = plan_of(diamond.trace(), devices={path: "cpu/no" for path, _ in diamond.trace().walk()}, on=on)
    with pytest.raises(DeviceError, match="node 'both': no such kernel"):
        LocalExecutor(compile_program(plan), on, lambda _: Refusing())


def test_intermediate_values_are_let_go_at_their_last_use():
    """When a later node runs, what only earlier nodes used is gone."""

    class Big:
        pass

    alive = []

    @ht.node
    def make(x):
        big = Big()
        alive.append(weakref.ref(big))
        return big

    @ht.node
    def measure(big):
        return 1

    @ht.node
    def look(x):
        gc.collect()
        return alive[-1]() is None

    @ht.pipeline
    def chain(x):
        return look(measure(make(x)))

    with Session(plan_of(chain.trace())) as session:
        assert session.call((1,))
    two = {"make": (0, 1), "measure": (1, 2), "look": (2, 3), "double": (0, 3)}

    @ht.pipeline
    def forked(x):
        return look(measure(make(x))), double(x)

    with Session(plan_of(forked.trace(), times=two)) as session:
        assert session.call((1,))[0]


def test_a_session_left_open_ends_with_the_interpreter():
    """No thread keeps the interpreter from ending, and nothing is said about it."""
    script = """
import sys; sys.path.insert(0, sys.argv[1])
import hetero as ht
from plans_by_hand import plan_of
from hetero.run.session import Session
@ht.node
def double(x): return 2 * x
@ht.pipeline
def pair(x): return double(x), double(x)
session = Session(plan_of(pair.trace(), times={"double": (0, 1), "double#2": (0, 1)}))
print(session.call((1,)))
"""
    folder = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", script, folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "(2, 2)\n", "")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_copy_of_a_session_is_refused():
    """In a forked child the session says what to do instead of waiting for threads that are not there."""
    with Session(plan_of(diamond.trace(), times=PARALLEL)) as session:
        assert session.call((1,))
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                session.call((1,))
            except ClosedError as error:
                os.write(writing, str(error).encode())
            os._exit(0)
        os.close(writing)
        assert os.waitpid(child, 0)[1] == 0
        with os.fdopen(reading) as answer:
            assert "before this process was forked" in answer.read()
        assert session.call((1,))
