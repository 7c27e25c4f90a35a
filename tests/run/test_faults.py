"""What production does to a session, done to it on purpose. ``docs/reliability.md`` has the table of these tests."""

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from apart import APART
from plans_by_hand import info, machine, plan_of
from shaky_device import SHAKY, Shaky
from waiting import until

import hetero as ht
from hetero.cost.estimate import Estimate
from hetero.device import DirectExecutable, Variant
from hetero.errors import NodeError, WorkerError
from hetero.plans import Choice, Considered
from hetero.run import watchdog
from hetero.run.session import Session


def chain(*nodes):
    @ht.pipeline
    def chained(x):
        for node in nodes:
            x = node(x)
        return x

    return chained.trace()


@ht.node
def double(x):
    return 2 * x


def estimated(plan, seconds=0.001):
    """The plan with an estimate for each node."""
    options = {path: (Considered(choice, Estimate(seconds)),) for path, choice in plan.choices.items()}
    return replace(plan, options=options)


def test_two_thousand_requests_outlive_random_kills(open_apart):
    """The worker dies again and again at random moments: each request is answered once, and right."""
    rng = random.Random(6)
    moments = sorted(rng.sample(range(2000), 6))
    answers = {}
    with open_apart(chain(double, double)) as session:

        def answered(x, future):
            answers.setdefault(x, []).append(future.result())

        def kill():
            for moment in moments:
                until(lambda moment=moment: len(answers) >= moment and session.worker.pid is not None)
                time.sleep(rng.uniform(0, 0.002))
                if pid := session.worker.pid:  # it may be dead of the kill before by now
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        futures = [session.submit((x,)) for x in range(2000)]
        for x, future in enumerate(futures):
            future.add_done_callback(lambda f, x=x: answered(x, f))
        for future in futures:
            future.exception(100)
        killer.join()
        assert session.worker.generation > 3
        assert session.counts.retried > 0
    assert answers == {x: [4 * x] for x in range(2000)}


def test_a_worker_that_hangs_is_killed_by_its_watchdog(open_apart, tmp_path, monkeypatch):
    """A call that takes far longer than its estimate ends with its process; the request is run again in a new one."""
    monkeypatch.setattr(watchdog, "LEAST_S", 0.5)
    marker = tmp_path / "hung"

    @ht.node
    def hangs_once(x):
        if not marker.exists():
            marker.touch()
            time.sleep(3600)
        return x + 1

    with open_apart(chain(hangs_once), change=estimated) as session:
        assert session.call((1,)) == 2
        assert session.worker.generation == 2
        assert any("did not answer in time and was killed" in event.message for event in session.events)


def test_an_input_that_always_hangs_its_worker_is_answered_with_an_error(open_apart, monkeypatch):
    """After a few runs its caller is told; other requests are served."""
    monkeypatch.setattr(watchdog, "LEAST_S", 0.3)

    @ht.node
    def picky(x):
        if x == 0:
            time.sleep(3600)
        return x

    with open_apart(chain(picky), change=estimated) as session:
        with pytest.raises(NodeError, match="did not answer in time") as found:
            session.call((0,))
        assert isinstance(found.value.__cause__, WorkerError)
        assert session.call((1,)) == 1


@pytest.mark.parametrize("apart", [False, True], ids=["in this process", "in a worker"])
def test_an_allocation_that_fails_is_its_requests_error(open_apart, apart):
    """MemoryError reaches the caller with the node's name; nothing else notices."""

    @ht.node
    def allocate(nbytes):
        return np.empty(nbytes, np.uint8).nbytes

    graph = chain(allocate)
    with open_apart(graph) if apart else Session(plan_of(graph)) as session:
        for run in (session.call, lambda args: session.submit(args).result(60)):
            with pytest.raises(NodeError, match=r"node 'allocate' failed: .*MemoryError") as found:
                run((1 << 60,))
            assert isinstance(found.value.__cause__, MemoryError)
            assert run((10,)) == 10
        assert session.counts.retried == 0


@pytest.mark.parametrize("where", ["put", "run"])
def test_an_allocation_that_fails_on_a_device_is_its_requests_error(far_engine, monkeypatch, where):
    """Device memory that is full fails the request which asked for more, with the node's name; the next one runs."""
    full = threading.Event()
    original = {"put": far_engine.FarMemory.put, "run": far_engine.FarTensor.__init__}[where]

    def allocate(self, value):
        if full.is_set():
            raise MemoryError("the device has no room for 64 MB")
        return original(self, value)

    owner, name = (far_engine.FarMemory, "put") if where == "put" else (far_engine.FarTensor, "__init__")
    monkeypatch.setattr(owner, name, allocate)
    far = info("far", processor="far0", memory_space="far0")
    graph = chain(double, double)
    with Session(
        plan_of(graph, devices=dict.fromkeys(["double", "double#2"], far.name), on=machine(far))
    ) as session:
        assert session.call((1,)) == 4
        full.set()
        for ask in (lambda: session.call((1,)), lambda: session.submit((1,)).result(60)):
            with pytest.raises(NodeError, match="no room for 64 MB") as found:
                ask()
            assert isinstance(found.value.__cause__, MemoryError)
        full.clear()
        assert session.call((2,)) == 8


def test_a_worker_that_is_killed_for_its_memory_is_started_again(open_apart, tmp_path):
    """The system kills whoever takes too much: SIGKILL is in the events, and the request is run again."""
    marker = tmp_path / "grew"

    @ht.node
    def greedy(x):
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)  # as the kernel's out-of-memory killer does
        return x

    with open_apart(chain(greedy)) as session:
        assert session.call((5,)) == 5
        assert any("SIGKILL" in event.message for event in session.events)


def test_a_result_of_the_wrong_form_is_its_nodes_error():
    """A device that gives another number of outputs than the op has is named with the node, not unpacked further on."""

    class Careless(Shaky):
        def compile(self, op, variant):
            return DirectExecutable(lambda x: (x, x) if x else ())

    with Careless().session(chain(double)) as session:
        for x in (0, 1):
            with pytest.raises(NodeError, match=r"node 'double' failed: ValueError: .*values to unpack"):
                session.call((x,))


def test_a_full_disk_leaves_the_old_trace(tmp_path, monkeypatch):
    """Writing a trace fails as a whole; the session goes on."""
    target = tmp_path / "trace.json"
    with Session(plan_of(chain(double))) as session:
        session.tracing = True
        session.call((1,))
        session.save_trace(target)
        old = target.read_bytes()

        def full(descriptor):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        session.call((1,))
        with pytest.raises(OSError, match="No space left"):
            session.save_trace(target)
        assert target.read_bytes() == old
        assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]
        assert session.call((2,)) == 4


def test_a_model_file_that_is_replaced_does_not_change_a_running_plan(tmp_path):
    """A plan runs the model that it was made from, whatever becomes of the file."""
    from onnx_models import projection

    path = tmp_path / "model.onnx"
    onnx.save(projection(), path)
    model = ht.from_onnx(path)
    x = np.ones((2, 4), np.float32)

    @ht.pipeline
    def project(x):
        return model(x)

    with ht.plan(project, x, allow="onnxruntime") as plan:
        before = plan(x)
        onnx.save(projection(np.zeros((4, 3), np.float32)), path)
        np.testing.assert_array_equal(plan(x), before)
        path.write_bytes(b"not a model at all")
        np.testing.assert_array_equal(plan.submit(x).result(60), before)


def test_a_trace_that_the_system_cuts_off_leaves_the_old_one(tmp_path):
    """The write itself fails, half way, as on a disk that fills up: nothing of it is left."""
    target = tmp_path / "trace.json"
    with Session(plan_of(chain(double))) as session:
        with session.traced(target):
            session.call((1,))
        old = target.read_bytes()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        session.tracing = True
        for x in range(1000):
            session.call((x,))
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
        try:
            with pytest.raises(OSError, match="File too large"):
                session.save_trace(target)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert target.read_bytes() == old
        assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]
        session.save_trace(target)
        assert target.stat().st_size > 10_000


@pytest.mark.parametrize("apart", [False, True], ids=["in one file", "weights in a file beside it"])
def test_a_model_file_that_was_replaced_is_not_loaded_under_the_old_ones_name(tmp_path, apart):
    """Whoever has to build the model again says so instead of answering with another one; put back, it is used."""
    from onnx_models import projection

    path = tmp_path / "model.onnx"
    onnx.save(projection(), path, save_as_external_data=apart, location="weights", size_threshold=0)
    replaced = tmp_path / "weights" if apart else path
    model, content = ht.from_onnx(path), replaced.read_bytes()
    other = bytes(len(content)) if apart else projection(np.zeros((4, 3), np.float32)).SerializeToString()
    x = np.ones((2, 4), np.float32)

    @ht.pipeline
    def project(x):
        return model(x)

    with ht.plan(project, x, allow="onnxruntime") as plan:
        replaced.write_bytes(other)
        os.utime(replaced, ns=(0, 0))  # the clock of a file system may be slower than this test
        with pytest.raises(ht.HeteroError, match=f"{replaced.name} was replaced, changed or removed"):
            plan(x)
        replaced.write_bytes(content)
        os.utime(replaced, ns=(1, 1))
        np.testing.assert_array_equal(plan(x), x @ np.arange(12, dtype=np.float32).reshape(4, 3))


PROGRAM = """
import signal, sys, threading, time
sys.path.insert(0, sys.argv[1])
import hetero as ht
from plans_by_hand import info, machine, plan_of
from hetero.run.session import Session
began = threading.Event()
@ht.node
def slow(x):
    began.set()
    time.sleep(0.5)
    return x
@ht.pipeline
def waiting(x): return slow(x)
session = Session(plan_of(waiting.trace()))
"""


def run_program(text):
    folder = str(Path(__file__).parent)
    command = [sys.executable, "-c", PROGRAM + text, folder]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_sigterm_drains_and_then_ends():
    """Requests under way are answered, new ones are refused, and the process ends by the signal as it would have."""
    done = run_program(
        """
futures = [session.submit((x,)) for x in range(4)]
began.wait()
signal.raise_signal(signal.SIGTERM)
try:
    session.submit((9,))
except ht.HeteroError as error:
    print(type(error).__name__, flush=True)
print([future.result() for future in futures], flush=True)
time.sleep(60)
"""
    )
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "ClosedError\n[0, 1, 2, 3]\n"), done.stderr


def test_sigterm_waits_for_the_request_of_the_main_thread():
    """A request that runs in the caller's own thread is the caller's to end."""
    done = run_program(
        """
import os
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
print(session.call((7,)), flush=True)
time.sleep(60)
"""
    )
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "7\n"), done.stderr


def test_who_handles_sigterm_keeps_doing_so():
    """A handler of the program's own is left alone."""
    script = "import signal; signal.signal(signal.SIGTERM, lambda *_: print('mine', flush=True))\n"
    folder = str(Path(__file__).parent)
    text = script + PROGRAM + "signal.raise_signal(signal.SIGTERM); print(session.call((1,)))"
    done = subprocess.run(
        [sys.executable, "-c", text, folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "mine\n1\n"), done.stderr


def test_sigterm_is_the_systems_again_when_nothing_is_open():
    """A handler is there while a session is, and not before or after; in a fork there is none; nor where it is not
    wanted."""
    done = run_program(
        """
import os
from hetero.run.draining import leave_sigterm_alone

def default():
    return signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

print(default())
if not os.fork():
    os._exit(0 if default() else 1)
print(os.wait()[1])
other = Session(plan_of(waiting.trace()))
session.close()
print(default())
other.close()
print(default())
again = Session(plan_of(waiting.trace()))
leave_sigterm_alone()
print(default())
Session(plan_of(waiting.trace()))
print(default(), flush=True)
signal.raise_signal(signal.SIGTERM)
"""
    )
    assert done.returncode == -signal.SIGTERM, done.stderr
    assert done.stdout.split() == ["False", "0", "False", "True", "True", "True"]


def test_ctrl_c_interrupts_the_caller_and_nobody_else():
    """KeyboardInterrupt comes out of the call; the session and its other requests go on."""
    done = run_program(
        """
other = session.submit((1,))
threading.Timer(0.2, signal.raise_signal, (signal.SIGINT,)).start()
try:
    session.call((2,))
except KeyboardInterrupt:
    print("interrupted")
print(other.result(), session.call((3,)))
"""
    )
    assert (done.returncode, done.stdout) == (0, "interrupted\n1 3\n"), done.stderr


def test_a_worker_does_not_end_with_the_signals_of_its_parents_group(open_apart):
    """SIGTERM and SIGINT are for the parent, which drains and then closes the pipe."""
    with open_apart(chain(double)) as session:
        assert session.call((1,)) == 2
        pid = session.worker.pid
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
        assert session.call((1,)) == 2
        assert session.worker.pid == pid


def test_a_worker_that_cannot_be_started_again_is_replaced(open_apart, monkeypatch):
    """Where its process cannot even be started, the plan goes on without the device, in this process."""

    def with_python(plan):
        known = Considered(Choice(APART.name, Variant("native")), Estimate(0.001))
        other = Considered(Choice("cpu/python", Variant("native")), Estimate(0.01))
        with_options = Shaky().session(plan.graph)
        evidence = with_options.plan.evidence
        with_options.close()
        return replace(plan, options={"double": (known, other)}, evidence=evidence)

    with open_apart(chain(double), change=with_python) as session:
        assert session.call((1,)) == 2
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        os.kill(session.worker.pid, signal.SIGKILL)
        until(lambda: session.worker.pid is None)
        assert session.submit((2,)).result(60) == 4
        assert session.plan.placement["double"][0] == "cpu/python"
        assert "repaired" in [event.kind for event in session.events]


def test_the_shaky_device_is_what_these_tests_think_it_is():
    """Without any fault it computes what the graph alone computes."""
    with Shaky().session(chain(double, double)) as session:
        assert session.call((3,)) == 12
        assert session.plan.placement["double"][0] == SHAKY.name
