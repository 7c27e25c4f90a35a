"""Requests with deadlines, requests beyond what there is room for, and requests that their callers have left."""

import asyncio
import gc
import threading
import time
import weakref
from concurrent.futures import CancelledError
from contextlib import suppress

import pytest
from plans_by_hand import machine, plan_of
from waiting import until

import hetero as ht
from hetero.errors import ArgumentError, DeadlineError, OverloadError
from hetero.run.reception import Room
from hetero.run.session import Session


class Gate:
    """A node that waits until it is told to go on."""

    def __init__(self):
        ran, opened = [], threading.Event()

        @ht.node
        def wait(x):
            ran.append(x)
            opened.wait(30)
            return x

        @ht.pipeline
        def waiting(x):
            return wait(x)

        self.ran, self.open, self.graph = ran, opened, waiting.trace()


@pytest.fixture
def gate():
    made = Gate()
    yield made
    made.open.set()


@pytest.fixture
def session(gate):
    with Session(plan_of(gate.graph, on=machine(cores=1))) as opened:
        yield opened
        gate.open.set()


def test_a_late_request_is_dropped_counted_and_reported(session, gate):
    """Its caller gets a DeadlineError that says where it was; work that had not begun never begins."""
    running = session.submit((1,))
    until(lambda: gate.ran)
    queued = session.submit((2,), deadline_s=0.05)
    with pytest.raises(DeadlineError, match=r"no answer within 0.05 s: the request was waiting for its turn"):
        queued.result(30)
    gate.open.set()
    assert running.result(30) == 1
    assert session.submit((3,)).result(30) == 3
    assert gate.ran == [1, 3]
    assert session.counts.late == 1
    assert [event.kind for event in session.events] == ["late"]


def test_who_waits_for_a_late_node_is_told_which_one(session, gate):
    """Node and device are in the message; the node itself runs on, and its result is dropped."""
    with pytest.raises(DeadlineError, match="node 'wait' on cpu/python was running"):
        session.call((1,), deadline_s=0.3)
    gate.open.set()
    assert session.call((2,), deadline_s=30) == 2


@pytest.mark.parametrize("plan_of_one", [{}, {"times": {"wait": (0, 1)}}])
def test_who_has_no_time_left_is_always_late(gate, plan_of_one):
    """Nothing of it begins, however quickly it could have been done, and whichever way it is asked for."""
    gate.open.set()
    with plan_of(gate.graph, **plan_of_one) as plan:
        for _ in range(20):
            with pytest.raises(
                DeadlineError, match="within 0 s: there was no time left when it was asked for"
            ):
                plan.within(0)(1)
        with pytest.raises(DeadlineError):
            plan.within(0.0).submit(1).result(30)
        (late,) = plan.stream([1], deadline_s=0, errors="return")
        assert isinstance(late, DeadlineError)
        assert (gate.ran, plan.session.counts.late) == ([], 22)


def test_a_deadline_is_not_an_argument_of_the_pipeline(gate):
    """plan.within(seconds) takes the pipeline's own arguments, whatever they are called."""

    @ht.node
    def double(deadline_s):
        return 2 * deadline_s

    @ht.pipeline
    def doubled(deadline_s):
        return double(deadline_s)

    with plan_of(doubled.trace()) as plan:
        soon = plan.within(30)
        assert soon(deadline_s=2) == soon.submit(2).result() == asyncio.run(soon.run_async(2)) == 4
        for wrong in (-1, float("nan"), float("inf"), "1", True):
            with pytest.raises(ArgumentError, match="deadline_s"):
                plan.within(wrong)(1)


@pytest.fixture
def no_alarm():
    """Keeps a session's alarms from ringing, as where their thread gets no turn."""
    awake = threading.Event()

    def keep_from_ringing(session):
        session._reception._alarms.at(0.0, awake.wait)

    yield keep_from_ringing
    awake.set()


def slow(fail=False):
    @ht.node
    def late(x):
        time.sleep(0.03)
        if fail:
            raise RuntimeError("after all")
        return x

    @ht.pipeline
    def one(x):
        return late(x)

    return one.trace()


@pytest.mark.parametrize("plan_of_one", [{}, {"times": {"late": (0, 1)}}])
def test_an_answer_that_is_done_too_late_is_nobodys_answer(no_alarm, plan_of_one):
    """The clock decides, not which of two threads was faster: called, submitted, awaited and streamed."""
    with plan_of(slow(), **plan_of_one) as plan:
        no_alarm(plan.session)
        soon = plan.within(0.005)
        for ask in (soon, lambda x: soon.submit(x).result(30), lambda x: asyncio.run(soon.run_async(x))):
            with pytest.raises(
                DeadlineError, match=r"within 0.005 s: it was done after that, and its result is dropped"
            ):
                ask(1)
        for ordered in (True, False):
            found = plan.stream([1, 2], ordered=ordered, deadline_s=0.005, errors="return")
            assert [type(one) for one in found] == [DeadlineError] * 2
        assert (plan.session.counts.late, plan.session.in_flight) == (7, 0)
        assert plan.within(30)(1) == 1


def test_a_failure_after_the_deadline_is_late_too(no_alarm):
    """It is told as what it was first, late, with the node's error as its cause; nothing is run again for nobody."""
    with plan_of(slow(fail=True)) as plan:
        no_alarm(plan.session)
        with pytest.raises(DeadlineError, match="it failed after that") as caught:
            plan.within(0.005)(1)
        assert "after all" in str(caught.value.__cause__)
        assert (plan.session.counts.late, plan.session.counts.failed) == (1, 0)


def test_a_stream_goes_on_after_a_late_item_if_asked(session, gate):
    """errors="return" gives the error in the item's place; by default it ends the stream."""
    results = session.stream(range(3), in_flight=2, deadline_s=0.05, errors="return")
    assert isinstance(next(results), DeadlineError)
    gate.open.set()
    list(results)
    assert list(session.stream([7, 8], deadline_s=30)) == [7, 8]
    with pytest.raises(LookupError, match=r"'ignore'.*raise, return"):
        session.stream([1], errors="ignore")


def test_ten_times_too_many_requests_are_refused_and_then_it_recovers(session, gate):
    """What there is no room for is refused at once with what to do; nothing of it runs, and all others are answered."""
    session.room = Room(requests=10)
    accepted = [session.submit((x,)) for x in range(10)]
    for x in range(90):
        with pytest.raises(OverloadError, match=r"has 10 requests .* use stream\(\)"):
            session.submit((x,))
    gate.open.set()
    assert [future.result(30) for future in accepted] == list(range(10))
    assert list(session.stream(range(100), in_flight=50)) == list(range(100))
    assert (session.counts.rejected, session.counts.started) == (90, 200)
    assert [event.kind for event in session.events] == ["rejected"]


def test_what_is_refused_is_not_kept(session, gate):
    """Of however many requests, memory holds the inputs of those that were accepted, and none after their answers."""

    class Input:
        pass

    session.room = Room(requests=10)
    asked = weakref.WeakSet()
    futures = []
    for _ in range(100):
        asked.add(x := Input())
        with suppress(OverloadError):
            futures.append(session.submit((x,)))
    del x
    gc.collect()
    assert len(futures) == len(asked) == 10
    gate.open.set()
    for future in futures:
        future.result(30)
    gate.ran.clear()
    del future, futures
    until(lambda: not gc.collect() and not asked)


def test_the_bytes_of_waiting_inputs_are_bounded_too(session, gate):
    """A few large inputs fill the room as many small ones do; a single one is always taken."""
    session.room = Room(nbytes=1000)
    first = session.submit((b"x" * 5000,))
    with pytest.raises(OverloadError, match=r"4\.9 KiB"):
        session.submit((1,))
    gate.open.set()
    assert len(first.result(30)) == 5000
    assert session.submit((1,)).result(30) == 1


def test_a_stream_waits_for_room(session, gate):
    """Back-pressure instead of an error, also where others have taken the room."""
    session.room = Room(requests=1)
    blocking = session.submit((0,))
    found = []
    thread = threading.Thread(target=lambda: found.extend(session.stream([1, 2])))
    thread.start()
    gate.open.set()
    thread.join(30)
    assert (blocking.result(30), found) == (0, [1, 2])


def test_a_cancelled_request_does_not_begin(session, gate):
    """Its future is cancelled, its room is free, and the others are answered."""
    running, queued = session.submit((1,)), session.submit((2,))
    until(lambda: gate.ran)
    assert queued.cancel()
    with pytest.raises(CancelledError):
        queued.result(30)
    gate.open.set()
    assert running.result(30) == 1
    session.room = Room(requests=1)
    until(lambda: not session._reception._inside)
    assert session.submit((3,)).result(30) == 3
    assert gate.ran == [1, 3]
    assert session.counts.cancelled == 1


def test_answered_requests_leave_no_alarms_behind(session, gate):
    """Deadlines far away of requests that are long answered do not pile up."""
    gate.open.set()
    for _ in range(1000):
        session.call((1,), deadline_s=3600)
    assert len(session._reception._alarms._heap) < 200


def test_a_jump_of_the_wall_clock_drops_nobody(session, gate, monkeypatch):
    """Deadlines and patience are kept by a clock that nobody can set."""
    future = session.submit((1,), deadline_s=60)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    gate.open.set()
    assert future.result(30) == 1
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert session.call((2,), deadline_s=60) == 2
    assert session.counts.late == 0
