"""Devices that are lost, and plans that go on without them."""

import threading

import pytest
from shaky_device import SHAKY, Shaky
from waiting import until

import hetero as ht
from hetero.errors import DeadlineError, DeviceError, NodeError, UnavailableError
from hetero.planning.repair import repair
from hetero.run import watchdog


@ht.node
def double(x):
    return 2 * x


@ht.pipeline
def doubled(x):
    return double(x)


@ht.pipeline
def fourfold(x):
    return double(double(x))


@pytest.fixture
def shaky():
    device = Shaky()
    yield device
    device.go_on.set()


def kinds(session):
    return [event.kind for event in session.events]


def test_a_device_that_errs_now_and_then_costs_nobody_an_answer(shaky):
    """A run that the device failed is made again, in the caller's thread or on a lane."""
    with shaky.session(doubled.trace()) as session:
        for x in range(20):
            shaky.failures = x % 3
            assert session.call((x,)) == session.submit((x,)).result(30) == 2 * x
        assert session.counts.failed == 0
        assert session.counts.retried > 0
        assert session.plan.placement["double"][0] == SHAKY.name


@pytest.mark.parametrize("way", ["call", "submit"])
def test_a_lost_device_is_replaced_and_used_again_when_it_is_back(shaky, way):
    """The plan is repaired from known costs, requests go on, and the story is in the events."""
    with shaky.session(fourfold.trace(), samples=(1,)) as session:
        session._reception._failover.pause_s = 0.02
        run = session.call if way == "call" else lambda args: session.submit(args).result(30)
        assert run((1,)) == 4
        shaky.gone = True
        assert [run((x,)) for x in range(50)] == [4 * x for x in range(50)]
        assert set(session.plan.placement.values()) == {("cpu/python", session.plan.placement["double"][1])}
        assert kinds(session)[:2] == ["lost", "repaired"]
        assert "fallen off the bus" in str(session.events[0])
        shaky.gone = False
        until(lambda: kinds(session)[-1] == "back")
        assert session.plan.placement["double"][0] == SHAKY.name
        runs = shaky.runs
        assert run((1,)) == 4
        assert shaky.runs == runs + 2
        assert session.counts.failed == 0


def test_requests_under_way_are_carried_over(shaky):
    """A device that is lost with many requests in flight loses none of them, and answers none twice."""
    answers = []
    with shaky.session(doubled.trace()) as session:
        futures = []
        for x in range(500):
            if x == 250:
                shaky.gone = True
            future = session.submit((x,))
            future.add_done_callback(answers.append)
            futures.append(future)
        assert [future.result(30) for future in futures] == [2 * x for x in range(500)]
        assert len(answers) == 500
        assert "repaired" in kinds(session)


def test_a_device_that_fails_request_after_request_is_left(shaky):
    """It can still be built on, but nothing succeeds: after a few requests in a row the plan goes on without it."""
    with shaky.session(doubled.trace()) as session:
        shaky.failures = 10**6
        for _ in range(2):
            with pytest.raises(NodeError, match="a bit flipped"):
                session.submit((1,)).result(30)
        assert session.submit((1,)).result(30) == 2
        assert "failed 3 requests in a row" in str(session.events[0])


def test_where_nothing_else_can_do_the_work_that_is_said(shaky):
    """Requests fail at once with the device's reason instead of waiting, until it is back."""
    with shaky.session(doubled.trace(), other=False, samples=(1,)) as session:
        session._reception._failover.pause_s = 0.02
        assert session.call((1,)) == 2
        shaky.gone = True
        with pytest.raises(NodeError, match="fallen off the bus"):
            session.submit((1,)).result(30)
        with pytest.raises(UnavailableError, match=r"cpu/shaky is lost .*fallen off the bus.*nothing else"):
            session.call((1,))
        shaky.gone = False
        until(lambda: kinds(session)[-1] == "back")
        assert session.call((1,)) == 2


def test_a_call_that_hangs_in_this_process_quarantines_its_device(shaky, monkeypatch):
    """The request fails at its deadline; the device gets no further call until the hung one has returned."""
    monkeypatch.setattr(watchdog, "LEAST_S", 0.1)
    with shaky.session(doubled.trace(), samples=(1,)) as session:
        session._reception._failover.pause_s = 0.02
        assert session.call((1,), deadline_s=30) == 2
        shaky.hangs.set()
        with pytest.raises(DeadlineError, match="node 'double' on cpu/shaky"):
            session.call((1,), deadline_s=0.05)
        until(lambda: "repaired" in kinds(session))
        assert [session.call((x,), deadline_s=30) for x in range(20)] == [2 * x for x in range(20)]
        assert "cannot be stopped" in str(session.events[1])
        shaky.hangs.clear()
        shaky.go_on.set()
        until(lambda: kinds(session)[-1] == "back")
        assert session.plan.placement["double"][0] == SHAKY.name
        assert session.call((1,)) == 2


def test_requests_that_wait_behind_a_hung_call_are_moved(shaky, monkeypatch):
    """They are answered by the repaired plan, not at their deadlines."""
    monkeypatch.setattr(watchdog, "LEAST_S", 0.1)
    with shaky.session(doubled.trace()) as session:
        shaky.hangs.set()
        hung = [session.submit((x,), deadline_s=0.05) for x in range(2)]  # as many as there are cores
        waiting = [session.submit((x,)) for x in range(10)]
        assert [future.result(30) for future in waiting] == [2 * x for x in range(10)]
        for future in hung:
            with pytest.raises(DeadlineError):
                future.result(30)
        shaky.go_on.set()


def test_being_slow_is_no_reason_for_quarantine(shaky):
    """A request that misses its deadline inside of what its estimate allows says nothing about its device."""
    with shaky.session(doubled.trace()) as session:
        shaky.hangs.set()
        with pytest.raises(DeadlineError):
            session.call((1,), deadline_s=0.05)
        shaky.hangs.clear()
        shaky.go_on.set()
        assert session.call((1,), deadline_s=30) == 2
        assert kinds(session) == ["late"]


def test_a_node_with_effects_is_not_run_twice_by_a_failover(shaky):
    """Its request fails with the device; the next one runs on what the plan was repaired to."""
    ran = []

    @ht.node(retry=False)
    def pay(x):
        ran.append(x)
        raise DeviceError("the line was cut")

    @ht.pipeline
    def payment(x):
        return pay(x)

    with shaky.session(payment.trace()) as session:
        for x in range(3):
            with pytest.raises(NodeError, match="the line was cut"):
                session.submit((x,)).result(30)
        assert ran == [0, 1, 2]


def test_a_repair_keeps_what_the_outputs_have_ruled_out(shaky):
    """An option that was rejected for its outputs stays rejected, and the plan says what it was made without."""
    with shaky.session(doubled.trace()) as session:
        plan = repair(session.plan, {SHAKY.name})
        assert plan.placement["double"][0] == "cpu/python"
        assert plan.notes[0] == "planned without cpu/shaky"
        assert plan.schedule.objective == session.plan.objective
    with shaky.session(doubled.trace(), other=False) as session, pytest.raises(ValueError, match="is lost"):
        repair(session.plan, {SHAKY.name})


def test_a_hung_call_does_not_keep_the_session_from_ending(shaky, monkeypatch):
    """close() comes back though a thread is still inside of an engine."""
    monkeypatch.setattr("hetero.run.workshop.CLOSE_PATIENCE_S", 0.1)
    session = shaky.session(doubled.trace())
    shaky.hangs.set()
    with pytest.raises(DeadlineError):
        session.call((1,), deadline_s=0.05)
    closing = threading.Thread(target=session.close)
    closing.start()
    closing.join(30)
    assert not closing.is_alive()
