"""Whose energy it is: shares are never negative and always add up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.cost.attribution import Call, Stay, shares
from hetero.errors import ArgumentError
from hetero.machine import Processor

CPU = Processor("cpu", cores=4, idle_watts=8.0, active_watts_per_core=3.0)
REQUESTS = st.sampled_from("abcde")
stays = st.lists(st.tuples(REQUESTS, st.floats(-5, 15), st.floats(0, 10)), min_size=1, max_size=6)
calls = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.floats(0, 5),
        st.dictionaries(REQUESTS, st.integers(1, 9), min_size=1, max_size=4),
    ),
    max_size=5,
)


@given(stays, calls, st.none() | st.floats(0, 1e6))
def test_shares_add_up_to_the_total(
    stayed: list[tuple[str, float, float]],
    called: list[tuple[int, float, dict[str, int]]],
    total: float | None,
) -> None:
    """To what was counted; else to idle power over the whole window plus the work of all calls, nothing twice and
    nothing lost, however requests overlap, leave gaps or share batches."""
    found = shares(
        CPU,
        [Call(cores, seconds, items) for cores, seconds, items in called],
        [Stay(request, start, start + length) for request, start, length in stayed],
        (0.0, 10.0),
        total,
    )
    work = sum(cores * seconds for cores, seconds, _ in called)
    expected = 10 * CPU.idle_watts + CPU.active_watts_per_core * work if total is None else total
    assert math.isclose(math.fsum(found.values()), expected, rel_tol=1e-9, abs_tol=1e-9)
    assert all(joules >= 0 for joules in found.values())
    assert set(found) == {request for request, _, _ in stayed} | {r for _, _, items in called for r in items}


def test_a_batch_is_paid_by_the_items_that_each_brought() -> None:
    """Three quarters of the rows, three quarters of the call."""
    found = shares(CPU, [Call(2, 1.0, {"a": 3, "b": 1})], [Stay("a", 0, 0), Stay("b", 0, 0)], (0.0, 0.0))
    assert found == {"a": pytest.approx(4.5), "b": pytest.approx(1.5)}


def test_idle_power_is_shared_by_who_is_there() -> None:
    """Alone for a second, then two of them for a second, then nobody: that is carried by all alike."""
    found = shares(CPU, [], [Stay("a", 0, 2), Stay("b", 1, 2)], (0.0, 3.0))
    assert found == {"a": pytest.approx(8 + 4 + 4), "b": pytest.approx(4 + 4)}


def test_what_was_counted_is_shared_as_the_model_would() -> None:
    """A counter knows no requests: it says how much, the rule says whose."""
    stayed = [Stay("a", 0, 2), Stay("b", 1, 2)]
    modelled = shares(CPU, [], stayed, (0.0, 2.0))
    counted = shares(CPU, [], stayed, (0.0, 2.0), total_joules=160.0)
    assert counted["a"] / counted["b"] == pytest.approx(modelled["a"] / modelled["b"])
    assert sum(counted.values()) == pytest.approx(160.0)


def test_without_requests_nobody_has_a_share() -> None:
    """The machine's own idle energy."""
    assert shares(CPU, [], [], (0.0, 5.0)) == {}


@pytest.mark.parametrize(
    ("call", "window"),
    [(Call(1, -1.0, {"a": 1}), (0, 1)), (Call(1, 1.0, {}), (0, 1)), (Call(1, 1.0, {"a": 1}), (1, 0))],
)
def test_what_makes_no_sense_is_refused(call: Call[str], window: tuple[float, float]) -> None:
    """Time that runs backwards, and a call without items."""
    with pytest.raises(ArgumentError, match="energy"):
        shares(CPU, [call], [Stay("a", 0, 1)], window)
