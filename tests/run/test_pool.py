"""Functions in several worker processes: each call has one for itself."""

import os
import signal
import threading
from dataclasses import replace

import pytest
from plans_by_hand import PYTHON, machine, plan_of

import hetero as ht
from hetero.device import Variant
from hetero.errors import ClosedError
from hetero.pool import PoolDevice
from hetero.registry import open_here
from hetero.run.compile import compile_program
from hetero.run.local import LocalExecutor
from hetero.run.session import Session

POOL = replace(PYTHON, name="cpu/python-process", isolation="process", concurrency=2)


@pytest.fixture
def pool():
    device = PoolDevice(POOL)
    yield device
    device.close()


def opened(pool, graph, **plan):
    devices = {path: POOL.name for path, node in graph.walk() if not node.op.subgraphs}
    made = plan_of(graph, devices=devices, on=machine(PYTHON, POOL), **plan)
    opens = {POOL.name: pool}
    return Session(
        made,
        reopen=lambda p: LocalExecutor(
            compile_program(p), p.machine, lambda info: opens.get(info.name) or open_here(info)
        ),
    )


def meet(folder, x):
    """Runs to its end only beside another one."""
    import os
    import time
    from pathlib import Path

    (Path(folder) / str(x)).touch()
    for _ in range(3000):
        if len(list(Path(folder).iterdir())) == 2:
            return os.getpid()
        time.sleep(0.01)
    raise TimeoutError


def test_calls_run_side_by_side_in_processes_of_their_own(pool, tmp_path):
    """Two items of a map that wait for one another both arrive, in two processes, neither of which is this one."""
    folder = str(tmp_path)

    @ht.node
    def worker(x):
        return meet(folder, x)

    @ht.pipeline
    def both(xs):
        return ht.map(worker, xs)

    graph = both.trace()
    with opened(pool, graph, lanes={"map#1": 2}, cores={"map#1": 2}) as session:
        pids = session.call(([0, 1],))
    assert len({*pids, os.getpid()}) == 3


def test_workers_start_as_they_are_needed_and_stay(pool):
    """One call after the other is served by one process, whose caches are warm."""

    @ht.node
    def where(x):
        return os.getpid()

    @ht.pipeline
    def single(x):
        return where(x)

    with opened(pool, single.trace()) as session:
        assert len({session.call((x,)) for x in range(5)}) == 1
        assert len(pool._members) == 1


def test_a_worker_of_the_pool_that_dies_is_its_own_loss(pool):
    """Random kills of any of them cost nobody an answer, and the events say which it was."""

    @ht.node
    def double(x):
        return 2 * x

    @ht.pipeline
    def single(x):
        return double(x)

    with opened(pool, single.trace()) as session:
        results = session.stream(range(300), in_flight=4)
        for x, y in enumerate(results):
            assert y == 2 * x
            if x % 60 == 30:
                pids = [member.worker.pid for member in pool._members if member.worker.pid]
                if pids:
                    os.kill(pids[x % len(pids)], signal.SIGKILL)
        subjects = {event.subject for event in session.events}
    assert subjects <= {"cpu/python-process 1", "cpu/python-process 2"}
    assert subjects


def test_a_closed_executable_is_closed_in_all_workers(pool):
    """Closing is final, also where another worker never had it."""

    @ht.node
    def double(x):
        return 2 * x

    executable = pool.compile(double.op, Variant("native"))
    assert executable.start((2,)).wait() == (4,)
    executable.close()
    executable.close()
    with pytest.raises(ClosedError, match="'double' was closed"):
        executable.start((2,)).wait()


def test_no_more_calls_are_inside_than_there_are_workers(pool):
    """A third caller waits for one of two workers."""
    taken = [pool.member(), pool.member()]
    for member in taken:
        member.__enter__()
    third = threading.Thread(target=lambda: pool.member().__enter__(), daemon=True)
    third.start()
    third.join(0.05)
    assert third.is_alive()
    taken[0].__exit__(None, None, None)
    third.join(30)
    assert not third.is_alive()
    assert len(pool._members) == 2


def test_what_has_effects_stays_in_this_process():
    """The device refuses a function that must not run twice: its effects may be on this process's own state."""

    @ht.node(retry=False)
    def note(x):
        return x

    offers = open_here(POOL).variants(note.op, ())
    assert offers.variants == ()
    assert "effects" in offers.refusals[0].reason
