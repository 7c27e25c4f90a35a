"""Threads that help with maps."""

import threading

from waiting import until

from hetero.run.team import Team


def helpers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("helping")]


def test_a_helper_that_waits_is_asked_before_another_is_started():
    """However many maps there are one after the other: threads that nobody needs take memory."""
    team = Team("helping", 64)
    for _ in range(20):
        met = threading.Barrier(2)
        assert team.map(lambda x, met=met: met.wait(30) * 0 + x, [1, 2], (), 2) == [1, 2]
        until(lambda: team._idle == 1)
    assert len(helpers()) == 1
    met = threading.Barrier(4)
    assert team.map(lambda x: met.wait(30) * 0 + x, [1, 2, 3, 4], (), 4) == [1, 2, 3, 4]
    assert len(helpers()) == 3
    team.close()
    until(lambda: not helpers())
