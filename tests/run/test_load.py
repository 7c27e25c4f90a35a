"""Load: what is counted, from when, and what is not lost."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import Future
from typing import Any

import pytest

import hetero as ht
from hetero.errors import ArgumentError, OverloadError
from hetero.run.load import FEWEST, Load, closed_loop, load_curve, open_loop


class Server:
    """Takes a request in the caller's thread; ``stall_s`` seconds for the first one, none for the others."""

    def __init__(self, stall_s: float = 0.0, room: float = math.inf, fails: str = "") -> None:
        self.stall_s, self.room, self.fails = stall_s, room, fails
        self.taken = self.inside = self.most = 0
        self.lock = threading.Lock()

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        with self.lock:
            self.taken += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
            first = self.taken == 1
        if self.taken > self.room:
            raise OverloadError("full")
        time.sleep(self.stall_s if first else 1e-4)
        future: Future[Any] = Future()
        with self.lock:
            self.inside -= 1
        if self.fails:
            future.set_exception(ArgumentError(self.fails))
        else:
            future.set_result(None)
        return future


class Steady:
    """Answers after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        time.sleep(self.seconds)
        future: Future[Any] = Future()
        future.set_result(None)
        return future


def test_a_stall_is_seen_by_all_who_would_have_come_meanwhile() -> None:
    """The driver itself was held up: those whose time came then have waited from that time on."""
    load = open_loop(Server(stall_s=0.3), [1], rate=200.0, seconds=0.5, seed=1)
    waited = [latency for latency in load.latencies_s if latency > 0.1]
    assert len(waited) > 10
    assert load.p99_s > 0.2
    assert load.failed == 0


def test_as_many_are_under_way_as_there_are_users() -> None:
    """Never more, and with enough requests as many."""
    server = Server()
    load = closed_loop(server, [1], users=3, seconds=0.3, warm_up_s=0.0)
    assert server.most == 3
    assert load.users == 3
    assert load.answers <= server.taken
    assert load.per_second == pytest.approx(load.answers / load.window_s)


def test_a_closed_loop_goes_on_until_a_rate_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its seconds are over after an answer or two."""
    monkeypatch.setattr("hetero.run.load.STRETCH", 1e6)
    for users in (1, 3):
        load = closed_loop(Steady(0.002), [1], users=users, seconds=1e-4, warm_up_s=0.0)
        assert load.answers == FEWEST
        assert load.per_second == pytest.approx(FEWEST / load.window_s)
        assert f"{FEWEST} answers in" in str(load)


def test_of_too_few_answers_no_rate_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow plan and a short load: it says so, and a curve of it has no capacity and no open loops."""
    monkeypatch.setattr("hetero.run.load.STRETCH", 1.0)
    curve = load_curve(Steady(0.05), [1], seconds=0.001)
    (load,) = curve.closed
    assert load.answers < FEWEST
    assert load.per_second is None
    assert "too few answers for a rate" in str(load)
    assert curve.capacity == 0
    assert curve.open == ()


def test_arrivals_come_at_the_rate_and_are_the_same_for_a_seed() -> None:
    """As many as a Poisson process gives, whether or not they are answered in time."""
    first = open_loop(Server(), [1], rate=500.0, seconds=0.4, seed=3)
    again = open_loop(Server(), [1], rate=500.0, seconds=0.4, seed=3)
    assert len(first.latencies_s) == len(again.latencies_s)
    assert abs(len(first.latencies_s) - 200) < 5 * 200**0.5


def test_rejected_requests_are_not_forgotten() -> None:
    """They count as latencies without an end."""
    load = open_loop(Server(room=5), [1], rate=200.0, seconds=0.2, seed=0)
    assert load.failed == len(load.latencies_s) - 5
    assert math.isinf(load.p99_s)
    assert "not answered" in str(load)


def test_an_error_ends_a_closed_loop() -> None:
    """A load of errors measures nothing."""
    with pytest.raises(ArgumentError, match="broken"):
        closed_loop(Server(fails="broken"), [1], users=2, seconds=0.2)


def test_percentiles_are_latencies_that_were_seen() -> None:
    """Of a hundred and one, the ninety-ninth percentile is the hundredth."""
    load = Load(tuple(float(i) for i in range(1, 102)), 1.0, 101, users=1)
    assert load.p50_s == 51.0
    assert load.p99_s == 100.0
    assert math.isnan(Load((), 1.0, 0, users=1).p50_s)


@pytest.mark.parametrize("wrong", [{"users": 0}, {"users": 1, "seconds": 0}])
def test_a_closed_loop_needs_users_and_time(wrong: dict[str, Any]) -> None:
    """And inputs."""
    with pytest.raises(ArgumentError, match="positive"):
        closed_loop(Server(), [1], **wrong)
    with pytest.raises(ArgumentError, match="input"):
        closed_loop(Server(), [], users=1)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_an_open_loop_needs_a_rate(rate: float) -> None:
    """A positive number of requests a second."""
    with pytest.raises(ArgumentError, match="positive"):
        open_loop(Server(), [1], rate=rate)


def test_a_plan_is_driven_with_arguments_by_place_and_by_name() -> None:
    """A curve has closed loops first, then open ones at shares of what they reached."""

    @ht.node
    def add(x: int, y: int = 0) -> int:
        return x + y

    with ht.plan(add, 1, y=2) as plan:
        curve = load_curve(plan, [ht.args(1, y=2), ht.args(3, y=4)], users=[1, 2], seconds=0.1)
    assert [load.users for load in curve.closed] == [1, 2]
    assert curve.capacity == max(load.per_second or 0.0 for load in curve.closed) > 0
    assert [load.rate for load in curve.open] == [pytest.approx(s * curve.capacity) for s in (0.3, 0.6, 0.8)]
    assert all(load.latencies_s for load in curve.open)
