"""One request as a schedule, where the plan's own is of many."""

from __future__ import annotations

import pytest
from planning.made import GRAPH_OF_TWO, evidence, first, machine, option, setting

import hetero as ht
from hetero.explain import path_text
from hetero.limits import Limits
from hetero.planning.alone import alone, overhead_s
from hetero.planning.selection import Selection
from hetero.planning.settle import settle
from hetero.plans import Plan, Request
from hetero.schedule.verify import verify

SERIAL = option("cpu/serial", 1.0)
QUICK = option("cpu/quick", 0.25)


def planned(objective: str) -> Plan:
    """Two nodes, of which the first halves its speed beside itself."""
    beside = {("first", SERIAL.choice, 2): 0.5, ("second", QUICK.choice, 2): 1.0}
    made = setting(GRAPH_OF_TWO, {"first": (SERIAL,), "second": (QUICK,)}, beside=beside)
    request = Request(objective, Limits(), Selection())
    return settle(GRAPH_OF_TWO, machine("cpu/serial", "cpu/quick"), request, made, None, 1.0)


def test_a_request_of_a_plan_for_throughput_takes_what_its_nodes_take_alone() -> None:
    """The scheduler counts the first node twice, since it holds up the others; no request ever waits for that."""
    with planned("throughput") as plan:
        problem, schedule = alone(plan)
        assert plan.schedule.makespan_s == pytest.approx(2.25, rel=1e-3)
        assert schedule.makespan_s == pytest.approx(1.25, rel=1e-3)
        assert schedule.makespan_s + overhead_s(plan.graph, schedule) == pytest.approx(plan.estimate.seconds)
        assert [(task.name, round(task.start_s, 3)) for task in schedule.tasks] == [
            ("first", 0.0),
            ("second", 1.0),
        ]
        assert path_text(plan) == "first 1.00 s -> second 250 ms"
        assert problem.edges == plan.problem.edges


def test_any_other_plan_is_of_one_request_already() -> None:
    """Nothing is changed."""
    with planned("latency") as plan:
        assert alone(plan) == (plan.problem, plan.schedule)
        verify(*alone(plan))


def test_what_a_map_takes_beside_its_nodes_has_a_line() -> None:
    """Its time is more than the sum of theirs; the rest has a name."""
    graph = ht.pipeline(lambda xs: ht.map(lambda x: first(x), xs)).trace()
    options = {"map#1/first": (option("cpu/quick", 1e-3),)}
    made = setting(graph, options, evidence=evidence(graph, lengths={"map#1": (3,)}))
    request = Request("latency", Limits(), Selection())
    with settle(graph, machine("cpu/quick", cores=1), request, made, None, 1.0) as plan:
        assert "map#1: 6.0 us are its own: items handed out" in plan.explain()
