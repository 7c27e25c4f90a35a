"""Generators: a list for whoever takes the whole, items as they are made for whoever asks for them."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from plans_by_hand import PYTHON, info, machine, plan_of
from shaky_device import Shaky
from waiting import until

import hetero as ht
from hetero.errors import ArgumentError, ClosedError, DeadlineError, NodeError
from hetero.run.session import Session

made: list[int] = []


@ht.node
def count(n: int) -> Iterator[int]:
    for i in range(n):
        if i == 5:
            raise ValueError("five is too many")
        made.append(i)
        yield i


@ht.node
def double(x: int) -> int:
    return 2 * x


@ht.node
def add(x: int, y: int) -> int:
    return x + y


@ht.node
def total(xs: list[int]) -> int:
    return sum(xs)


@ht.pipeline
def counted(n: int) -> Any:
    return count(n)


@ht.pipeline
def mapped(n: int, y: int = 1) -> Any:
    z = double(y)
    return ht.map(lambda x: add(double(x), z), count(n))


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    made.clear()


def test_a_generator_is_a_list_to_everybody_else() -> None:
    """Alone, eagerly, in a plan and as another node's input its value is the list of what it yields."""

    @ht.pipeline
    def summed(n: int) -> Any:
        xs = count(n)
        return total(xs), xs

    assert count(3) == [0, 1, 2]
    assert summed(3) == (3, [0, 1, 2])
    with Session(plan_of(summed.trace())) as session:
        assert session.call((4,)) == (6, [0, 1, 2, 3])
        assert session.call((0,)) == (0, [])
    with Session(plan_of(mapped.trace())) as session:
        assert session.call((3,)) == [2, 4, 6]
        assert list(session.stream([0, 1, 2])) == [[], [2], [2, 4]]


@pytest.mark.parametrize(
    "times", [None, {"double": (0, 1), "count": (0, 1), "map#1": (1, 2)}], ids=["straight", "lanes"]
)
def test_items_are_made_as_they_are_asked_for(times: Any) -> None:
    """Nothing is made before somebody wants it, through a map too, on one lane and on several."""
    with Session(plan_of(mapped.trace(), times=times)) as session:
        items = session.iterate((4,), {"y": 3})
        assert not made
        assert next(items) == 6
        assert made == [0]
        assert list(items) == [8, 10, 12]
        assert made == [0, 1, 2, 3]
        assert session.in_flight == 0


def test_a_map_over_a_list_gives_its_items_one_by_one() -> None:
    """The list may come from anywhere; of nested maps the outer one's items are given."""
    seen: list[int] = []

    @ht.node
    def note(x: int) -> int:
        seen.append(x)
        return x

    @ht.pipeline
    def nested(rows: list[list[int]]) -> Any:
        return ht.map(lambda row: ht.map(note, row), rows)

    with Session(plan_of(nested.trace())) as session:
        items = session.iterate(([[1, 2], [], [3]],))
        assert next(items) == [1, 2]
        assert seen == [1, 2]
        assert list(items) == [[], [3]]
        assert list(session.iterate(([],))) == []


def test_an_error_comes_after_the_items_before_it() -> None:
    """It names the generator's node, and the session goes on."""
    with Session(plan_of(mapped.trace())) as session:
        items = session.iterate((9,))
        assert [next(items) for _ in range(5)] == [2, 4, 6, 8, 10]
        with pytest.raises(NodeError, match="node 'count' failed: ValueError: five is too many"):
            next(items)
        assert session.counts.failed == 1
        assert session.in_flight == 0
        assert session.call((1,)) == [2]


def test_the_node_inside_of_a_map_is_named() -> None:
    """An item that fails is its node's error, or stands in its place where that was asked for."""

    @ht.node
    def invert(x: int) -> float:
        return 1 / x

    @ht.pipeline
    def raising(n: int) -> Any:
        return ht.map(invert, count(n))

    @ht.pipeline
    def returning(n: int) -> Any:
        return ht.map(invert, count(n), errors="return")

    with Session(plan_of(raising.trace())) as session, pytest.raises(NodeError, match="node 'map#1/invert'"):
        next(session.iterate((2,)))
    with Session(plan_of(returning.trace())) as session:
        first, second = session.iterate((2,))
        assert isinstance(first, NodeError)
        assert second == 1.0


def test_leaving_half_way_ends_the_request() -> None:
    """Closing the iterator closes the user's generator, and the session can drain."""
    ended = threading.Event()

    @ht.node
    def endless(x: int) -> Iterator[int]:
        try:
            while True:
                yield x
        finally:
            ended.set()

    @ht.pipeline
    def forever(x: int) -> Any:
        return ht.map(double, endless(x))

    with Session(plan_of(forever.trace())) as session:
        items = session.iterate((1,))
        assert next(items) == 2
        assert session.in_flight == 1
        items.close()  # type: ignore[attr-defined]
        assert session.in_flight == 0
    assert ended.is_set()
    with pytest.raises(ClosedError):
        session.iterate((1,))


def test_a_deadline_is_looked_at_with_each_item() -> None:
    """What was made in time is given; the first late item is a DeadlineError that says how many there were."""

    @ht.node
    def slowing(x: int) -> Iterator[int]:
        yield 0
        time.sleep(0.6)
        yield 1

    @ht.pipeline
    def slow(x: int) -> Any:
        return slowing(x)

    with Session(plan_of(slow.trace())) as session:
        items = session.iterate((1,), deadline_s=0.5)
        assert next(items) == 0
        with pytest.raises(DeadlineError, match=r"within 0\.5 s: 1 were given"):
            next(items)
        assert (session.counts.late, session.in_flight) == (1, 0)


def test_without_time_left_no_item_is_made() -> None:
    """As for any other request with a deadline of 0 s."""
    asked = []

    @ht.node
    def counting(x: int) -> Iterator[int]:
        asked.append(x)
        yield x

    with Session(plan_of(ht.pipeline(lambda x: counting(x)).trace())) as session:
        with pytest.raises(DeadlineError, match="within 0 s: none was given"):
            next(session.iterate((1,), deadline_s=0))
        assert (asked, session.counts.late) == ([], 1)


def test_no_thread_is_left_behind_by_items() -> None:
    """Neither by those that were all taken, nor by a loop that was left half way, with a deadline or without."""

    @ht.node
    def counting(x: int) -> Iterator[int]:
        yield from range(x)

    before = set(threading.enumerate())
    for deadline_s in (None, 60.0):
        with Session(plan_of(ht.pipeline(lambda x: counting(x)).trace())) as session:
            assert list(session.iterate((3,), deadline_s=deadline_s)) == [0, 1, 2]
            assert next(session.iterate((3,), deadline_s=deadline_s)) == 0
    until(lambda: set(threading.enumerate()) <= before)


def test_only_results_that_are_made_item_by_item_can_be_iterated_over() -> None:
    """Anything else is refused at the call, as is a list that another node takes as well."""

    @ht.pipeline
    def single(x: int) -> Any:
        return double(x)

    @ht.pipeline
    def shared(n: int) -> Any:
        xs = count(n)
        return ht.map(lambda x: add(x, total(xs)), xs)

    with (
        Session(plan_of(single.trace())) as session,
        pytest.raises(ArgumentError, match="'single' has no items to give out"),
    ):
        session.iterate((1,))
    with Session(
        plan_of(shared.trace())
    ) as session:  # the map's items one by one, from a list that is complete
        assert list(session.iterate((3,))) == [3, 4, 5]


def test_a_generator_that_runs_elsewhere_gives_its_items_when_all_are_there() -> None:
    """A map over it still gives one at a time; the generator's own list cannot be left half way in another process."""
    apart = info("apart", isolation="process")
    on = machine(PYTHON, apart)
    graph = counted.trace()
    plan = plan_of(graph, devices={"count": apart.name}, on=on)
    from hetero.run.compile import compile_program
    from hetero.run.lazy import lazy_program

    assert lazy_program(compile_program(plan), {PYTHON.name}) is None
    assert lazy_program(compile_program(plan_of(graph, on=on)), {PYTHON.name}) is not None


def test_a_device_that_fails_before_the_first_item_costs_nobody_an_answer() -> None:
    """The request is run again as a whole; its items are then all there."""
    shaky = Shaky()
    with shaky.session(mapped.trace()) as session:
        shaky.failures = 1
        assert list(session.iterate((3,))) == [2, 4, 6]
        assert session.counts.retried == 1


def test_a_request_for_items_that_is_run_again_keeps_its_deadline() -> None:
    """Of what its first run took only the rest is left; nobody waits for a second run that hangs."""
    shaky = Shaky()
    with shaky.session(mapped.trace()) as session:
        shaky.failures = 1
        shaky.hangs.set()
        try:
            with pytest.raises(DeadlineError):
                list(session.iterate((3,), deadline_s=0.2))
        finally:
            shaky.go_on.set()
        assert (session.counts.retried, session.counts.late) == (1, 1)


def test_items_are_counted_as_one_call_of_their_node() -> None:
    """Its time is what making them took, not what the caller did in between."""
    with Session(plan_of(counted.trace())) as session:
        for _ in session.iterate((3,)):
            time.sleep(0.02)
        stats = session.stats()["count"]
        assert stats.calls == 1
        assert stats.p50_s < 0.02


def test_a_pipeline_or_async_generator_is_refused() -> None:
    """Only nodes may be generators, and only plain ones."""

    async def later(x: int) -> Any:
        yield x

    def steps(x: int) -> Any:
        yield x

    assert inspect.isasyncgenfunction(later)
    for decorate, function in ((ht.node, later), (ht.pipeline, steps), (ht.pipeline, later)):
        with pytest.raises(ArgumentError, match="is a generator"):
            decorate(function)  # type: ignore[operator]
    with pytest.raises(ArgumentError, match="a generator has one output"):
        ht.node(outputs=2)(steps)


def test_a_generator_is_not_run_in_a_worker_process() -> None:
    """Planning keeps it where its items can be handed out."""
    from dataclasses import replace

    from hetero.backends import python
    from hetero.values import specs_of

    here = python.open_device(PYTHON)
    apart = python.open_device(replace(PYTHON, isolation="process"))
    assert here.variants(count.op, specs_of([3])).variants
    offers = apart.variants(count.op, specs_of([3]))
    assert not offers.variants
    assert "as it is made" in offers.refusals[0].reason
