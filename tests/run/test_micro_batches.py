"""Requests of several callers that meet at a node are run by one call of it, and get each their own answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from plans_by_hand import plan_of
from waiting import until

import hetero as ht
from hetero.errors import ArgumentError, DeadlineError, NodeError
from hetero.plans import MicroBatch, Plan
from hetero.run.alarms import Alarms
from hetero.run.flight import Flight
from hetero.run.gathering import Gathering, Waiting, likeness
from hetero.run.session import Session

LONG_S = 60.0
"""Longer than any test: who waits for it is begun for another reason."""


class Model:
    """A node that computes row by row, and notes how many rows each call had. ``closed`` holds its calls."""

    def __init__(self) -> None:
        rows: list[int] = []
        opened = threading.Event()
        opened.set()

        @ht.node
        def before(x: Any) -> Any:
            return x

        @ht.node
        def embed(x: Any) -> Any:
            rows.append(len(x))
            opened.wait(30)
            if (x < 0).any():
                raise ValueError("a negative row")
            return 2 * x

        @ht.node
        def after(x: Any, y: Any) -> Any:
            return x + y

        @ht.pipeline
        def embedding(x: Any) -> Any:
            z = before(x)
            return after(embed(z), z)

        self.rows, self.opened, self.graph = rows, opened, embedding.trace()

    def plan(self, requests: int = 4, wait_s: float = LONG_S, **by_hand: Any) -> Plan:
        return replace(plan_of(self.graph, **by_hand), micro_batches={"embed": MicroBatch(requests, wait_s)})


@pytest.fixture
def model() -> Model:
    return Model()


def row(value: float) -> Any:
    return np.full((1, 3), value)


LANES = {"before": (0.0, 1.0), "embed": (1.0, 2.0), "after": (2.0, 3.0)}


def in_threads(work: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def test_requests_under_way_share_a_call_and_get_their_own_rows(model: Model) -> None:
    """Each answer is its caller's, whatever number of rows it brought."""
    with Session(model.plan()) as session:
        model.opened.clear()
        first = session.submit((row(9),))  # alone under way: it is not held up
        until(lambda: len(model.rows) == 1)
        inputs = [np.full((i + 1, 3), float(i)) for i in range(4)]
        futures = [session.submit((x,)) for x in inputs]
        model.opened.set()
        for x, future in zip(inputs, futures, strict=True):
            np.testing.assert_array_equal(future.result(30), 3 * x)
        np.testing.assert_array_equal(first.result(30), 3 * row(9))
        assert model.rows == [1, 10]
        assert session.stats()["embed"].requests_a_call == 2.5


def test_who_is_alone_does_not_wait(model: Model) -> None:
    """The wait is for others under way: a single caller, one request after the other, never meets it."""
    with Session(model.plan()) as session:
        for i in range(3):
            np.testing.assert_array_equal(session.call((row(i),)), 3 * row(i))
    assert model.rows == [1, 1, 1]


def test_no_call_is_larger_than_was_planned(model: Model) -> None:
    """More requests than that are several calls."""
    with Session(model.plan(requests=3)) as session:
        model.opened.clear()
        futures = [session.submit((row(i),)) for i in range(8)]
        model.opened.set()
        for i, future in enumerate(futures):
            np.testing.assert_array_equal(future.result(30), 3 * row(i))
    assert sum(model.rows) == 8
    assert max(model.rows) <= 3


def test_callers_in_their_own_threads_meet_too(model: Model) -> None:
    """plan(x) from many threads, and stream(), go the same way."""
    with Session(model.plan(wait_s=0.001)) as session:
        wrong: list[int] = []

        def call(number: int) -> None:
            for x in range(20):
                y = session.call((row(100 * number + x),))
                wrong.extend([number] * (not np.array_equal(y, 3 * row(100 * number + x))))

        in_threads(call, 4)
        assert not wrong
        results = list(session.stream([row(x) for x in range(50)], in_flight=8))
        np.testing.assert_array_equal(
            np.concatenate(results), np.repeat(3.0 * np.arange(50), 3).reshape(50, 3)
        )
    assert max(model.rows) > 1


def test_an_error_is_its_own_requests(model: Model) -> None:
    """The call that raises is made again for each request alone, and only those fail that fail alone."""
    with Session(model.plan()) as session:
        model.opened.clear()
        futures = [session.submit((row(x),)) for x in (9, 1, -1, 2)]
        model.opened.set()
        with pytest.raises(NodeError, match="node 'embed' failed: ValueError: a negative row"):
            futures[2].result(30)
        for x, future in zip((9, 1, 2), (futures[0], futures[1], futures[3]), strict=True):
            np.testing.assert_array_equal(future.result(30), 3 * row(x))


def test_shapes_that_cannot_be_stacked_are_run_apart(model: Model) -> None:
    """Other widths, other dtypes and what is no array go by themselves, in their turn."""
    inputs = [row(1), np.ones((1, 5)), np.ones((1, 3), np.float32), row(2), np.ones((1, 5))]
    with Session(model.plan(requests=8)) as session:
        model.opened.clear()
        first = session.submit((row(9),))
        until(lambda: len(model.rows) == 1)
        futures = [session.submit((x,)) for x in inputs]
        model.opened.set()
        first.result(30)
        for x, future in zip(inputs, futures, strict=True):
            found = future.result(30)
            assert found.dtype == x.dtype
            np.testing.assert_array_equal(found, 3 * x)
    assert sorted(model.rows) == [1, 1, 2, 2]
    assert likeness([1]) != likeness([1])
    assert likeness([row(1), np.ones((2, 3))]) != likeness([row(1), np.ones((2, 3))])


def test_a_late_or_cancelled_request_is_left_out(model: Model) -> None:
    """Who has gone by the time of the call is not in it; the others are answered."""
    with Session(model.plan()) as session:
        model.opened.clear()
        held = [session.submit((row(9),))]
        until(lambda: len(model.rows) == 1)
        held.append(session.submit((row(8),)))
        until(lambda: len(model.rows) == 2)  # now no core is free
        late = session.submit((row(1),), deadline_s=0.05)
        left = session.submit((row(2),))
        stays = session.submit((row(3),))
        with pytest.raises(DeadlineError):
            late.result(30)
        assert left.cancel()
        model.opened.set()
        np.testing.assert_array_equal(stays.result(30), 3 * row(3))
        for x, future in zip((9, 8), held, strict=True):
            np.testing.assert_array_equal(future.result(30), 3 * row(x))
        assert model.rows == [1, 1, 1]
        until(lambda: session.in_flight == 0)
        assert (session.counts.late, session.counts.cancelled) == (1, 1)


def coming(gathering: Gathering, count: int) -> list[Waiting]:
    """Requests that the gathering expects."""
    flights = [Flight([], (), lambda result, error: None) for _ in range(count)]
    for flight in flights:
        gathering.expect(flight)
    return [Waiting(flight, (row(1),), "alike") for flight in flights]


def test_the_first_one_waits_no_longer_than_was_planned() -> None:
    """After that it is begun with what is there."""
    begun = threading.Event()
    alarms = Alarms()
    gathering = Gathering(8, 0.01, alarms, begun.set)
    for waiting in coming(gathering, 5)[:2]:
        gathering.add(waiting)
    assert begun.wait(30)
    assert len(gathering.take()) == 2
    alarms.close()


def test_requests_are_begun_when_they_are_enough_or_nobody_else_is_coming() -> None:
    """Neither waits for the clock, and what is left over is begun with at once."""
    begun: list[None] = []
    gathering = Gathering(3, LONG_S, Alarms(), lambda: begun.append(None))
    (single,) = coming(gathering, 1)
    gathering.add(single)
    assert len(begun) == 1
    assert gathering.take() == [single]
    several = coming(gathering, 9)
    for waiting in several[:4]:
        gathering.add(waiting)
    assert len(begun) == 2
    assert gathering.take() == several[:3]
    assert len(begun) == 3, "the fourth has waited long enough"
    assert gathering.take() == several[3:4]
    assert len(begun) == 3
    gathering.add(several[4])
    assert len(begun) == 3, "four are still expected"
    gathering.add(several[5])
    for waiting in several[5:]:
        waiting.flight.cancel()
        gathering.forget(waiting.flight)
    assert len(begun) == 4, "and now none is"
    assert gathering.take() == several[4:5], "who has gone is left out"


def test_a_result_with_another_number_of_rows_fails_all_of_them() -> None:
    """It cannot be said whose rows they are."""

    @ht.node
    def shrink(x: Any) -> Any:
        return x[:1]

    @ht.pipeline
    def shrinking(x: Any) -> Any:
        return shrink(x)

    from hetero.run.gatherer import run_together

    run = shrinking.trace().nodes[0].op.load()
    assert all(isinstance(outcome, ValueError) for outcome in run_together(run, [[row(1)], [row(2)]]))


def test_nodes_are_taken_where_that_pays_and_keeps_the_answer(tmp_path: Any) -> None:
    """micro_batched() measures, says what it found, and what it decided is in the plan's file."""

    @ht.node
    def double(x: Any) -> Any:
        time.sleep(0.005)  # whatever the number of rows
        return 2 * x

    @ht.node
    def normalise(x: Any) -> Any:
        return x - x.mean(axis=0)  # over the rows, whosever they are

    @ht.pipeline
    def both(x: Any) -> Any:
        return normalise(double(x))

    with ht.plan(both, np.ones((1, 8)), budget_s=2) as plain:
        assert not plain.micro_batches
        plan = plain.micro_batched(requests=8, wait_s=0.001, nodes=["double", "normalise"])
        assert (
            plain.micro_batched().micro_batches == {}
        )  # a function does not say that its first axis is free
    notes = "\n".join(plan.notes)
    assert plan.micro_batches == {"double": MicroBatch(8, 0.001)}, notes
    assert "double: " in notes
    assert "normalise: " in notes
    assert "answers differ" in notes
    plan.save(tmp_path / "plan.json")
    with plan, ht.load_plan(tmp_path / "plan.json", both) as loaded:
        assert loaded.micro_batches == plan.micro_batches
        x = np.arange(8.0)[None]
        for found in (plan, loaded):
            np.testing.assert_allclose(found(x), both(x))
        with pytest.raises(ArgumentError, match="has no sample"):
            loaded.micro_batched()


@pytest.mark.parametrize(
    ("requests", "wait_s"), [(1, 0.1), (True, 0.1), (2.5, 0.1), (4, -1), (4, float("inf")), (4, "x")]
)
def test_a_batch_that_makes_no_sense_is_refused(requests: Any, wait_s: Any) -> None:
    """Fewer than two requests, or a wait that is no time."""
    with pytest.raises(ArgumentError, match="expected"):
        MicroBatch(requests, wait_s)


def test_nodes_that_cannot_be_run_together_are_named_with_the_reason(model: Model) -> None:
    """An unknown node, and one with effects."""

    @ht.node(retry=False)
    def pay(x: Any) -> Any:
        return x

    @ht.pipeline
    def paying(x: Any) -> Any:
        return pay(x)

    sampled = replace(plan_of(paying.trace()), samples=((row(1),),))
    with pytest.raises(
        ArgumentError, match="'pay' cannot be run for several requests at once: it has effects"
    ):
        sampled.micro_batched(nodes=["pay"])
    with pytest.raises(ArgumentError, match="the plan's own nodes are before, embed, after"):
        replace(model.plan(), samples=((row(1),),)).micro_batched(nodes=["embedded"])


def test_a_node_that_wants_to_end_the_program_tells_its_caller_so() -> None:
    """SystemExit reaches who asked, as from a node that runs alone, and the lane goes on."""

    @ht.node
    def embed(x: Any) -> Any:
        if (x < 0).any():
            raise SystemExit(3)
        return x

    @ht.pipeline
    def embedding(x: Any) -> Any:
        return embed(x)

    plan = replace(plan_of(embedding.trace()), micro_batches={"embed": MicroBatch(4, 0.001)})
    with Session(plan) as session:
        with pytest.raises(SystemExit):
            session.submit((row(-1),)).result(30)
        np.testing.assert_array_equal(session.submit((row(1),)).result(30), row(1))
