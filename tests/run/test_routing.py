"""Which worker takes the next request; no clock, no cluster."""

from __future__ import annotations

from hetero.events import EventLog
from hetero.run.routing import Router


def served(router: Router, seconds: dict[int, float], requests: int, in_flight: int) -> list[int]:
    """Simulate workers that take this long for a request, one after the other: how many each one has served."""
    free_s = dict.fromkeys(seconds, 0.0)
    flying: list[tuple[float, float, int, int]] = []
    now_s = 0.0
    for _ in range(requests):
        if len(flying) == in_flight:
            flying.sort()
            now_s, since_s, worker, under_way = flying.pop(0)
            router.ended(worker, under_way, now_s - since_s)
        worker, under_way = router.pick()
        free_s[worker] = max(free_s[worker], now_s) + seconds[worker]
        flying.append((free_s[worker], now_s, worker, under_way))
    for end_s, since_s, worker, under_way in sorted(flying):
        router.ended(worker, under_way, end_s - since_s)
    return [router.answers[name] for name in "abc"[: len(seconds)]]


def test_equal_workers_share_equally() -> None:
    """None of three is given a third more than another."""
    counts = served(Router("abc", EventLog()), {0: 1.0, 1: 1.0, 2: 1.0}, 300, 6)
    assert sum(counts) == 300
    assert max(counts) < 1.33 * min(counts)


def test_a_slow_worker_does_less_and_is_told_once() -> None:
    """Ten times as slow it serves at most what it can; its slowness is one event while it lasts."""
    log = EventLog()
    counts = served(Router("abc", log), {0: 1.0, 1: 10.0, 2: 1.0}, 600, 6)
    assert counts[1] < 0.2 * min(counts[0], counts[2])
    assert [(event.kind, event.subject) for event in log.since()] == [("slow", "b")]


def test_a_worker_that_is_down_gets_nothing_until_it_is_back() -> None:
    """The last one is kept, since somebody has to answer."""
    router = Router("ab", EventLog())
    assert router.down(0)
    assert {router.pick()[0] for _ in range(40)} == {1}
    assert not router.down(1)
    router.back(0)
    assert 0 in {router.pick()[0] for _ in range(4)}


def test_a_request_without_an_answer_says_nothing_about_the_pace() -> None:
    """It only leaves."""
    router = Router("ab", EventLog())
    for _ in range(10):
        worker, under_way = router.pick()
        router.ended(worker, under_way, None)
    assert router.answers == {"a": 0, "b": 0}
    assert router.pick()[1] == 1
