"""Many requests in flight."""

import threading

import pytest
from plans_by_hand import plan_of

import hetero as ht
from hetero.errors import ArgumentError, NodeError
from hetero.run.session import Session


@ht.node
def invert(x, y=1):
    return y / x


@ht.pipeline
def ratio(x, y=1):
    return invert(x, y)


@pytest.fixture
def session():
    with Session(plan_of(ratio.trace())) as opened:
        yield opened


def test_results_come_in_the_order_of_the_items(session):
    """Ordered is the default; unordered gives the same results."""
    expected = [1 / x for x in range(1, 101)]
    assert list(session.stream(range(1, 101))) == expected
    assert sorted(session.stream(range(1, 101), ordered=False), reverse=True) == expected


def test_an_item_may_be_several_arguments(session):
    """ht.args gives a pipeline with more than one input all of them."""
    assert list(session.stream([ht.args(2, y=4), ht.args(1, 5), 4])) == [2, 5, 0.25]


def test_inputs_are_taken_only_as_there_is_room(session):
    """Back-pressure: at most in_flight items are taken and not yet given out."""
    taken = []

    def items():
        for x in range(1, 1000):
            taken.append(x)
            yield x

    results = session.stream(items(), in_flight=3)
    assert not taken
    for i in range(5):
        next(results)
        assert len(taken) <= i + 3


def test_an_endless_stream_may_be_left(session):
    """Leaving the loop early cancels what is in flight."""
    import itertools

    for result in session.stream(itertools.count(1), in_flight=4):
        if result < 0.1:
            break
    assert session.call((1,)) == 1


@pytest.mark.parametrize("ordered", [True, False])
def test_an_error_is_raised_in_the_place_of_its_result(session, ordered):
    """What came before it is given out first where order is kept."""
    results = session.stream([1, 0, 2], in_flight=1, ordered=ordered)
    assert next(results) == 1
    with pytest.raises(NodeError, match="invert"):
        next(results)
    assert session.call((2,)) == 0.5


def test_room_for_nothing_is_refused(session):
    """in_flight has to be positive."""
    with pytest.raises(ArgumentError, match="in_flight=0"):
        session.stream([1], in_flight=0)


def test_requests_on_one_lane_share_the_processor():
    """A plan of one thread a request uses all cores when many requests are in flight."""
    meeting = threading.Barrier(2, timeout=10)

    @ht.node
    def meet(x):
        meeting.wait()
        return x

    @ht.pipeline
    def single(x):
        return meet(x)

    with Session(plan_of(single.trace())) as session:
        assert list(session.stream(range(4), in_flight=4)) == [0, 1, 2, 3]
