"""What each request took of energy and money: nothing is lost, nothing is paid twice."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plans_by_hand import plan_of

import hetero as ht
from hetero.graph import Graph
from hetero.machine import Processor
from hetero.plans import MicroBatch, Plan
from hetero.run.meter import Meter
from hetero.run.metered import MeteredSession

CPU = Processor(
    "cpu",
    cores=2,
    idle_watts=10.0,
    active_watts_per_core=5.0,
    power_source="declared",
    dollars_per_hour=3600.0,
    dollars_per_kwh=0.5,
)


@ht.node
def wait(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@ht.node
def again(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def planned(graph: Graph) -> Plan:
    plan = plan_of(graph)
    return replace(plan, machine=replace(plan.machine, processors=(CPU,)))


CHAIN = planned(ht.pipeline(lambda x: again(wait(x))).trace())
BESIDE = planned(ht.pipeline(lambda x: (again(x), wait(x))).trace())
MAPPED = planned(ht.pipeline(lambda xs: ht.map(wait, xs)).trace())


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Counted:
    source = "counted: package-0"

    def begin(self) -> None:
        """It counts from here."""

    def end(self) -> float:
        return 1000.0


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["come", "leave", "work"]),
            st.integers(0, 9),
            st.floats(0, 3),
        ),
        max_size=30,
    ),
    st.booleans(),
)
def test_shares_add_up_whatever_came_when(events: list[tuple[str, int, float]], counted: bool) -> None:
    """To what was counted, or to idle power over all the time and the work of all calls; and dollars to rent and
    energy."""
    clock, busy_s = Clock(), 0.0
    meter = Meter(CHAIN, Counted() if counted else None, clock)
    meter.arrive()
    requests = 1
    for kind, who, seconds in events:
        clock.seconds += seconds
        if kind == "come":
            meter.arrive()
            requests += 1
        elif kind == "leave":
            meter.leave(who % requests)
        else:
            meter.worked("wait", "cpu", seconds, {who % requests: 1.0, 0: 2.0})
            busy_s += seconds
    found = meter.shares()
    joules = 1000.0 if counted else 10.0 * clock.seconds + 5.0 * busy_s
    assert math.isclose(math.fsum(one.joules for one in found), joules, rel_tol=1e-9, abs_tol=1e-9)
    dollars = clock.seconds + joules / 3.6e6 * CPU.pue * 0.5
    assert math.isclose(math.fsum(one.dollars for one in found), dollars, rel_tol=1e-9, abs_tol=1e-9)
    assert [one.request for one in found] == list(range(requests))


@pytest.mark.parametrize("plan", [CHAIN, BESIDE], ids=["in a row", "beside each other"])
def test_a_request_pays_for_its_own_work(plan: Plan) -> None:
    """However it was started; a longer one pays more, and all of them together for what ran."""
    with MeteredSession(plan, Meter(plan)) as session:
        session.call((0.002,))
        assert list(session.stream([0.002, 0.4], in_flight=1))[1]
        short, streamed, long = session.shares()
    assert long.joules > 3 * streamed.joules
    assert long.joules > 3 * short.joules
    assert long.seconds > 0.4
    assert long.dollars > 0


def test_a_map_s_work_is_its_request_s() -> None:
    """Items run on whatever threads there are; their time is that of the map."""
    with MeteredSession(MAPPED, Meter(MAPPED)) as session:
        session.call(([0.02, 0.02],))
        (share,) = session.shares()
    assert share.joules > 0.04 * CPU.active_watts_per_core * 0.5


def test_who_shares_a_call_pays_by_rows() -> None:
    """Three rows of four are three quarters of the call. Another request is under way, so that they wait for each
    other."""
    begun, opened = threading.Event(), threading.Event()

    @ht.node
    def hold(x: Any) -> Any:
        begun.set()
        opened.wait(10)
        time.sleep(0.05)
        return x

    pipeline = ht.pipeline(lambda x: hold(x))
    plan = replace(planned(pipeline.trace()), micro_batches={"hold": MicroBatch(2, 60.0)})
    quiet = replace(plan, machine=replace(plan.machine, processors=(replace(CPU, idle_watts=0.0),)))
    with MeteredSession(quiet, Meter(quiet)) as session:
        before = session.submit((np.zeros((5, 2)),))
        assert begun.wait(10)
        futures = [session.submit((np.zeros((rows, 2)),)) for rows in (3, 1)]
        opened.set()
        assert [len(future.result()) for future in (before, *futures)] == [5, 3, 1]
        _, first, second = session.shares()
    assert first.joules == pytest.approx(3 * second.joules)
    assert second.joules > 0.05 * CPU.active_watts_per_core / 4


def test_a_plan_has_a_metered_session() -> None:
    """Beside its own, which pays nothing for it; it says where its joules come from."""
    with CHAIN.metered() as session:
        assert list(session.stream([0.0, 0.0])) == [0.0, 0.0]
        assert len(session.shares()) == 2
        assert session.meter.source
