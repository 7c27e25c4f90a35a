"""Requests under way are bounded, and their bytes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from time import sleep

from hetero.admission import Admission


def test_no_more_is_inside_at_once_than_there_is_room_for() -> None:
    """Many threads that want more than the room together never have more than it."""
    door = Admission(requests=1000, nbytes=100)

    def hold(nbytes: int) -> int:
        door.wait(nbytes)
        sleep(0.001)
        door.leave(nbytes)
        return nbytes

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(hold, [30, 40, 50] * 20)) == 2400
    assert 50 < door.most_nbytes <= 100
    assert (door.requests, door.nbytes) == (0, 0)


def test_what_is_larger_than_the_room_is_let_in_alone() -> None:
    """Else it would wait for ever; what needs no room may be there too."""
    door = Admission(requests=2, nbytes=100)
    door.wait(1000)
    door.wait(0)
    assert door.nbytes == 1000


def test_who_finds_no_room_is_told_when_there_is_some_and_nobody_overtakes_it() -> None:
    """A small one that came later does not go before a large one, which would else wait for ever."""
    door = Admission(requests=2, nbytes=100)
    told: list[str] = []
    assert door.enter(80, lambda: None)
    assert not door.enter(90, lambda: told.append("large"))
    assert not door.enter(10, lambda: told.append("small"))
    assert not door.enter(0, lambda: told.append("too many"))
    door.leave(80)
    assert told == ["large", "small"]
    door.leave(90)
    assert told == ["large", "small", "too many"]


def test_who_waits_is_in_before_who_comes_back() -> None:
    """Else of two nodes on a device that serves one call at a time one might wait for ever."""
    door, order = Admission(requests=1, nbytes=100), []

    def wait() -> None:
        door.wait(0)
        order.append("waited")
        door.leave(0)

    door.wait(0)
    thread = Thread(target=wait)
    thread.start()
    while not door._waiting:
        sleep(0.001)
    door.leave(0)
    door.wait(0)
    order.append("came back")
    thread.join()
    assert order == ["waited", "came back"]
