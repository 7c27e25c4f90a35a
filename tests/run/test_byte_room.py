"""Bytes under way are bounded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import sleep

from hetero.run.byte_room import ByteRoom


def test_no_more_is_held_at_once_than_there_is_room_for() -> None:
    """Many threads that want more than the room together never have more than it."""
    room = ByteRoom(100)

    def hold(nbytes: int) -> int:
        with room.holding(nbytes):
            sleep(0.001)
            return nbytes

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(hold, [30, 40, 50] * 20)) == 2400
    assert 50 < room.most_nbytes <= 100
    assert room.held_nbytes == 0


def test_what_is_larger_than_the_room_is_let_in_alone() -> None:
    """Else it would wait for ever."""
    room = ByteRoom(100)
    with room.holding(1000), room.holding(0):
        assert room.held_nbytes == 1000
