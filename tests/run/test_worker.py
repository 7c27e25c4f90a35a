"""Devices in worker processes, and what happens when these die."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from apart import APART
from plans_by_hand import info

import hetero as ht
from hetero.device import Variant
from hetero.errors import ClosedError, NodeError, WorkerError
from hetero.isolation import ProcessDevice
from hetero.worker_process import WorkerProcess

FAR = info("far", processor="far0", memory_space="far0", isolation="process")


@ht.node
def double(x):
    return 2 * x


@ht.node
def process(x):
    return os.getpid()


def graph_of(*nodes):
    @ht.pipeline
    def chain(x):
        for node in nodes:
            x = node(x)
        return x

    return chain.trace()


def test_a_node_runs_in_another_process_with_the_same_result(open_apart):
    """Large arrays, small ones and plain values come back as they are, and are the caller's own."""
    with open_apart(graph_of(double)) as session:
        for value in (3, "ab", np.arange(10), np.arange(100_000.0).reshape(100, 1000)):
            np.testing.assert_array_equal(session.call((value,)), double(value))
        assert session.call(([1.5, (2,)],)) == [1.5, (2,), 1.5, (2,)]
        first = session.call((np.ones(100_000),))
        second = session.call((np.zeros(100_000),))
        assert first.sum() == 200_000
        assert second.flags.writeable
    with open_apart(graph_of(process)) as session:
        assert session.call((1,)) == session.worker.pid != os.getpid()


def test_tensors_stay_in_the_worker(open_apart, far_engine):
    """Handles travel between nodes; this process makes no copy of its own."""
    with open_apart(graph_of(double, double, double), FAR) as session:
        for _ in range(3):
            np.testing.assert_array_equal(session.call((np.ones(4),)), np.full(4, 8.0))
    assert not far_engine.copies  # all copies were made over there


def test_functions_of_a_script_and_classes_travel_by_value(tmp_path):
    """A worker never imports the script that started it: what the script defines arrives by value."""
    script = tmp_path / "script.py"
    script.write_text(
        """
import sys; sys.path.insert(0, sys.argv[1])
print("imported")
from dataclasses import dataclass, replace
import hetero as ht
from hetero.run.session import Session
from plans_by_hand import PYTHON, machine, plan_of

@dataclass
class Point:
    x: int

@ht.node
def move(point, by):
    return Point(point.x + by)

@ht.pipeline
def walk(point):
    return move(point, 2)

on = machine(replace(PYTHON, isolation="process"))
session = Session(plan_of(walk.trace(), on=on))
answer = session.call((Point(1),))
print(type(answer) is Point, answer.x)
"""
    )
    folder = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, str(script), folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "imported\nTrue 3\n", "")


def test_an_error_comes_back_with_the_users_line(open_apart):
    """The error is of its own type, and the other process's traceback is attached as a note."""

    @ht.node
    def invert(x):
        return 1 / x  # the user's line

    with open_apart(graph_of(invert)) as session:
        with pytest.raises(NodeError, match="node 'invert' failed: ZeroDivisionError") as found:
            session.call((0,))
        assert "the user's line" in "".join(found.value.__cause__.__notes__)
        assert session.call((2,)) == 0.5
        assert session.worker.generation == 1


def test_what_cannot_travel_is_told_and_harms_nobody(open_apart):
    """A result that no process can send is the node's error; the worker lives on."""

    @ht.node
    def lock(x):
        import threading

        return threading.Lock() if x else 7

    with open_apart(graph_of(lock)) as session:
        with pytest.raises(NodeError, match="cannot leave its worker process"):
            session.call((1,))
        assert session.call((0,)) == 7
        assert session.worker.generation == 1


def test_a_killed_worker_is_started_again_and_the_request_is_run_again(open_apart, tmp_path):
    """A pure node whose process dies under it is run again in a new one; events tell it."""
    marker = tmp_path / "died"

    @ht.node
    def fragile(x):
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return x + 1

    with open_apart(graph_of(double, fragile)) as session:
        assert session.call((1,)) == 3
        assert any("SIGKILL" in event.message for event in session.events)
        marker.unlink()
        assert session.submit((2,)).result(60) == 5
        assert session.worker.generation == 3


def test_a_worker_killed_between_requests_is_not_noticed(open_apart):
    """The next request starts it again."""
    with open_apart(graph_of(process)) as session:
        first = session.call((1,))
        os.kill(session.worker.pid, signal.SIGKILL)
        assert session.call((1,)) != first


def test_a_worker_that_always_dies_is_an_error_with_its_last_words(open_apart):
    """After a few runs the caller is told: device, exit code, last lines of its standard error."""

    @ht.node
    def dies(x):
        print("out of luck", file=sys.stderr, flush=True)
        os._exit(7)

    with open_apart(graph_of(dies)) as session:
        with pytest.raises(
            NodeError, match=r"cpu/apart: worker process \d+ ended with exit code 7.*out of luck"
        ) as found:
            session.call((1,))
        assert isinstance(found.value.__cause__, WorkerError)
        assert session.worker.generation == 6  # five runs, and a look at whether the device itself is broken


def test_a_node_with_side_effects_is_not_run_twice(open_apart, tmp_path):
    """Where a node says that it must run once, the death of its process is the caller's error."""
    ran = tmp_path / "ran"

    def pay(x):
        with ran.open("a") as file:
            file.write("x")
        os._exit(1)

    from hetero.graph import INPUT, Graph, Input, Node, Ref
    from hetero.ops.function import FunctionOp

    node = Node("pay", FunctionOp(pay, effects="once"), (Ref(INPUT),))
    graph = Graph("payment", (Input("x"),), (node,), Ref("pay"))
    with open_apart(graph) as session, pytest.raises(NodeError, match="pay"):
        session.call((1,))
    assert ran.read_text() == "x"


def test_a_silent_worker_is_killed(open_apart):
    """A worker that does not answer in time is an error that says so, and is started again."""
    with open_apart(graph_of(double)) as session:
        assert session.call((1,)) == 2
        session.worker.patience_s = 0.2
        os.kill(session.worker.pid, signal.SIGSTOP)
        with pytest.raises(WorkerError, match="did not answer in time"):
            session.worker.ask("run", 1, (1,))
        session.worker.patience_s = 60
        assert session.call((1,)) == 2


def test_the_worker_ends_with_its_parent():
    """A worker does not outlive a parent that was killed."""
    script = """
import sys; sys.path.insert(0, sys.argv[1])
from dataclasses import replace
import os, signal
from hetero.isolation import ProcessDevice
from plans_by_hand import PYTHON
device = ProcessDevice(replace(PYTHON, isolation="process"))
device.opened()
print(device.worker.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    pid = int(done.stdout)
    for _ in range(100):
        if not running(pid):
            return
        time.sleep(0.1)
    raise AssertionError(f"worker {pid} outlived its parent: {done.stderr}")


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_random_kills_cost_nobody_an_answer(open_apart):
    """While four requests are in flight their worker is killed again and again: every answer is right."""
    with open_apart(graph_of(double, double)) as session:
        for x, y in enumerate(session.stream(range(200), in_flight=4)):
            assert y == 4 * x
            if x % 40 == 20 and (pid := session.worker.pid):
                os.kill(pid, signal.SIGKILL)
        assert session.worker.generation > 1


def test_a_forked_process_does_not_use_its_parents_worker(open_apart):
    """Two processes on one pipe would read each other's answers: the fork is refused."""
    with open_apart(graph_of(double)) as session:
        assert session.call((1,)) == 2
        session.worker._owner = -1  # as seen from a fork
        with pytest.raises(WorkerError, match="fork"):
            session.worker.ask("run", 1, (1,))
        session.worker._owner = os.getpid()


def test_a_closed_executable_is_not_built_again():
    """Closing is final, though a worker's executables are otherwise built wherever they are missing."""
    device = ProcessDevice(APART, WorkerProcess("cpu/apart"))
    executable = device.compile(double.op, Variant("native"))
    assert executable.start((2,)).wait() == (4,)
    executable.close()
    executable.close()
    with pytest.raises(ClosedError, match="'double' was closed"):
        executable.start((2,)).wait()
    device.close()
