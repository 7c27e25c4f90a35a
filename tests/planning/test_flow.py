"""What many requests at once get of a plan, from its nodes."""

from __future__ import annotations

import pytest
from planning.made import first, machine, option, python, setting

import hetero as ht
from hetero.limits import Limits
from hetero.planning.contention import Contention
from hetero.planning.flow import REQUEST_S, Flow, period_s, side_by_side
from hetero.planning.selection import Selection
from hetero.planning.settle import settle
from hetero.plans import Plan, Request

MODEL = ht.pipeline(lambda x: first(x)).trace()
FUNCTION = ht.pipeline(lambda x: python(x)).trace()
ALONE = option("cpu/serial", 0.9)
SHARED = option("cpu/parallel", 1.0)
WIDE = option("cpu/wide", 0.7, threads=2)


def flow(seconds: float, threads: int = 1, speed: float = 1.0, *, locked: bool = False) -> Flow:
    return Flow("cpu", seconds, threads, speed, locked)


def period(*found: Flow, efficiency: float = 1.0) -> float:
    made = setting(MODEL, {}, contention=Contention({2: efficiency}))
    return period_s(found, machine("cpu/a"), made) - REQUEST_S


def planned(*options: object, objective: str = "throughput") -> Plan:
    beside = {("first", ALONE.choice, 2): 0.5, ("first", SHARED.choice, 2): 0.9}
    made = setting(MODEL, {"first": options}, beside=beside)
    request = Request(objective, Limits(), Selection())
    return settle(MODEL, machine("cpu/serial", "cpu/parallel", "cpu/wide"), request, made, None, 1.0)


def test_cores_are_shared_by_requests() -> None:
    """Two cores give twice as many results as one, or as many fewer as busy cores are slower."""
    assert period(flow(1.0), flow(0.5, threads=2)) == pytest.approx(1.0)
    assert period(flow(1.0), efficiency=0.8) == pytest.approx(0.625)


def test_an_executable_that_serves_one_call_at_a_time_holds_the_others_up() -> None:
    """Its own rate bounds the stream, however many cores are free."""
    assert period(flow(1.0, speed=0.5), flow(0.5)) == pytest.approx(1.0)


def test_the_interpreter_lock_is_one() -> None:
    """Functions of different requests take turns."""
    assert period(flow(0.4, locked=True), flow(0.4, locked=True)) == pytest.approx(0.8)
    assert period(flow(0.4), flow(0.4)) == pytest.approx(0.4)


def test_as_many_fit_as_the_cores_have_room_for() -> None:
    """At least one, also where it is wider than the processor."""
    assert [side_by_side(threads, 4) for threads in (1, 2, 3, 4, 8)] == [4, 2, 1, 1, 1]


def test_throughput_is_planned_with_what_engines_do_side_by_side() -> None:
    """An option that is the fastest alone, but serves one request at a time, is not taken for many."""
    with planned(ALONE, SHARED) as plan:
        assert plan.placement["first"][0] == "cpu/parallel"
        assert plan.estimate.period_s == pytest.approx(1.0 / (2 * 0.9), rel=1e-3)
        assert plan.estimate.seconds == pytest.approx(1.0, rel=1e-3)
    with planned(ALONE, SHARED, objective="latency") as plan:
        assert plan.placement["first"][0] == "cpu/serial"
    with planned(
        ALONE, WIDE
    ) as plan:  # two threads on one request, since two requests would wait for each other
        assert plan.placement["first"][0] == "cpu/wide"
        assert plan.estimate.period_s == pytest.approx(0.7, rel=1e-3)


def test_results_are_never_further_apart_than_one_request_after_the_other() -> None:
    """What a request in flight costs the program is not paid by a plain loop: the least of both is the period."""
    with planned(option("cpu/serial", 2e-5), objective="latency") as plan:
        assert plan.estimate.period_s == plan.estimate.seconds < REQUEST_S
