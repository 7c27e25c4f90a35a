"""Threads and cores of one processor."""

from __future__ import annotations

import threading

import pytest
from plans_by_hand import plan_of

import hetero as ht
from hetero.run.dispatch import Dispatcher
from hetero.run.session import Session


def test_what_no_thread_has_begun_may_be_done_by_who_waits() -> None:
    """It holds its cores all the while, is done once, and what waited for the cores has them next."""
    done: list[str] = []
    threadless = Dispatcher("cpu", cores=1, threads=0)
    first = threadless.put(lambda: done.append("first"), 1)
    second = threadless.put(lambda: done.append("second"), 1)
    assert not second.run_here(), "there is no core for it"
    assert first.run_here()
    assert not first.run_here(), "it has been done"
    assert second.run_here()
    assert done == ["first", "second"]
    assert threadless.take(1)


def test_a_thread_takes_the_next_job_itself() -> None:
    """Jobs that come while one core is busy are done by its thread, in their order."""
    begun, go_on, all_done = threading.Event(), threading.Event(), threading.Event()
    threads: list[int] = []
    order: list[int] = []
    dispatcher = Dispatcher("cpu", cores=1, threads=4)

    def hold() -> None:
        begun.set()
        go_on.wait(10)

    def note(number: int) -> None:
        threads.append(threading.get_ident())
        order.append(number)
        if number == 4:
            all_done.set()

    dispatcher.put(hold, 1)
    assert begun.wait(10)
    for number in range(5):
        dispatcher.put(lambda number=number: note(number), 1)  # type: ignore[misc]
    go_on.set()
    assert all_done.wait(10)
    dispatcher.close(10)
    assert order == [0, 1, 2, 3, 4]
    assert len(set(threads)) == 1


def test_a_wide_job_is_not_overtaken() -> None:
    """A job that needs all cores is begun before narrow ones that came after it."""
    order: list[str] = []
    dispatcher = Dispatcher("cpu", cores=2, threads=0)
    assert dispatcher.take(1)
    wide = dispatcher.put(lambda: order.append("wide"), 2)
    narrow = dispatcher.put(lambda: order.append("narrow"), 1)
    assert not narrow.run_here(), "one core is free, but it is the wide job's turn"
    dispatcher.give_back(1)
    assert wide.run_here()
    assert narrow.run_here()
    assert order == ["wide", "narrow"]


@pytest.mark.parametrize("deadline_s", [None, 30.0])
def test_who_waits_for_a_deadline_does_nothing_else(deadline_s: float | None) -> None:
    """Only a thread that runs no node can be told of the deadline in time; any other one may be given the work."""
    here = threading.get_ident()

    @ht.node
    def where(x: int) -> int:
        return threading.get_ident()

    @ht.pipeline
    def located(x: int) -> int:
        return where(x)

    with Session(plan_of(located.trace())) as session:
        executor = session._engines.current.executor
        dispatcher = executor._workshop.dispatcher("cpu")  # type: ignore[attr-defined]
        assert dispatcher.take(2)  # so that no thread can begin before it is waited for
        future = session.submit((1,), deadline_s=deadline_s)
        dispatcher._size = 0 if deadline_s is None else 2  # with no thread there is only the caller
        dispatcher.give_back(2)
        assert (future.result() == here) is (deadline_s is None)
