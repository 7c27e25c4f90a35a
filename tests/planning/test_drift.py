"""Runs correct a plan: drift is found by running medians, and a better plan proposed with what it would gain."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from planning.made import GRAPH_OF_TWO as GRAPH
from planning.made import machine, option, setting

import hetero as ht
from hetero.limits import Limits
from hetero.planning.drift import drifts, proposal
from hetero.planning.selection import Selection
from hetero.planning.settle import settle
from hetero.plans import MicroBatch, Plan, Request


@dataclass(frozen=True)
class Seen:
    p50_s: float
    predicted_s: float | None
    calls: int = 100
    spread_s: float = 0.1
    shapes: tuple[str, ...] = ()


def planned(limits: Limits = Limits()) -> Plan:  # noqa: B008 - frozen
    ways = (option("cpu/a", 1.0), option("cpu/b", 1.2))
    made = setting(GRAPH, {"first": ways, "second": ways})
    request = Request("latency", limits, Selection())
    return settle(GRAPH, machine("cpu/a", "cpu/b"), request, made, None, 1.0)


def test_drift_is_a_median_far_from_the_prediction() -> None:
    """Few calls, small differences and what nobody predicted are none; the farthest comes first."""
    found = drifts(
        {
            "near": Seen(1.2, 1.0),
            "few": Seen(9.0, 1.0, calls=3),
            "tiny": Seen(5e-6, 1e-6),
            "unknown": Seen(9.0, None),
            "slow": Seen(2.0, 1.0),
            "quick": Seen(0.1, 1.0),
        }
    )
    assert [(drift.path, drift.factor) for drift in found] == [("quick", 0.1), ("slow", 2.0)]
    assert "2.00 times" in str(found[1])


def test_a_node_that_drifted_alone_moves_elsewhere() -> None:
    """The proposal says what it gains by what is known now; the plan itself stays as it is."""
    plan = planned()
    found = proposal(plan, {"first": Seen(3.0, 1.0), "second": Seen(1.0, 1.0)}, None)
    assert found is not None
    assert plan.placement["first"][0] == "cpu/a"
    assert found.plan.placement["first"][0] == "cpu/b"
    assert found.plan.placement["second"][0] == "cpu/a"
    assert found.seconds == pytest.approx(4.0, rel=1e-2)
    assert found.gain == pytest.approx(1 - 2.2 / 4.0, abs=1e-2)
    assert "first takes 3.00 s" in str(found)


def test_a_machine_that_is_slower_as_a_whole_is_no_reason_to_move() -> None:
    """Everything else would be slower, too."""
    assert proposal(planned(), {"first": Seen(3.0, 1.0), "second": Seen(3.0, 1.0)}, None) is None


def test_a_plan_that_breaks_its_limit_by_now_is_told_of_one_that_keeps_it() -> None:
    """And nothing is proposed where no plan keeps it any more."""
    stats = {"first": Seen(3.0, 1.0), "second": Seen(1.0, 1.0)}
    found = proposal(planned(Limits(latency_s=2.5)), stats, None)
    assert found is not None
    assert found.seconds == pytest.approx(4.0, rel=1e-2)
    assert found.plan.estimate.seconds == pytest.approx(2.2, rel=1e-2)
    assert proposal(planned(Limits(latency_s=2.1)), stats, None) is None


def test_nodes_that_stay_are_run_for_several_requests_as_before() -> None:
    """They were measured so where they are; one that moves was not."""
    both = {"first": MicroBatch(4, 0.01), "second": MicroBatch(4, 0.01)}
    plan = replace(planned(), micro_batches=both)
    found = proposal(plan, {"first": Seen(3.0, 1.0), "second": Seen(1.0, 1.0)}, None)
    assert found is not None
    assert found.plan.micro_batches == {"second": MicroBatch(4, 0.01)}


def test_a_plan_for_a_cluster_is_proposed_another_for_it() -> None:
    """Opened, it runs where the first one did."""
    plan = replace(planned(), cluster="127.0.0.1:6379")
    found = proposal(plan, {"first": Seen(3.0, 1.0), "second": Seen(1.0, 1.0)}, None)
    assert found is not None
    assert found.plan.cluster == plan.cluster


def test_a_session_tells_drift_once_among_its_events() -> None:
    """And a plan whose runs are as predicted proposes nothing."""
    with ht.plan(ht.pipeline(lambda x: first_of(x)), [1, 2]) as plan:
        assert plan.reconsider() is None
        assert [event for event in plan.events if event.kind == "drift"] == []


@ht.node
def first_of(values: list[int]) -> int:
    return values[0]
