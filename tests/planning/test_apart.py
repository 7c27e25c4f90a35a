"""Python functions that may run in worker processes, where they do not wait for one interpreter lock."""

from __future__ import annotations

from typing import Any

import pytest
from planning.made import evidence, info, machine, option, python, setting

import hetero as ht
from hetero.cost.measurement import Measurement
from hetero.cost.store import ProfileStore
from hetero.device import Variant
from hetero.graph import Graph
from hetero.limits import Limits
from hetero.machine import Processor
from hetero.planning.apart import is_apart, nothing_beside, too_quick
from hetero.planning.contention import Contention
from hetero.planning.control import apart_of, control_options
from hetero.planning.options import Candidate
from hetero.planning.selection import Selection
from hetero.planning.settle import settle
from hetero.plans import Plan, Request

HERE, APART = "cpu/python", "cpu/python-process"
WIDE = ht.pipeline(lambda x: (python(x), python(x))).trace()
MAP = ht.pipeline(lambda xs: ht.map(python, xs)).trace()


def wide(apart_s: float, efficiency: float = 0.9, **changes: Any) -> Plan:
    """The plan of two functions beside each other, each 1 s here and ``apart_s`` in a process."""
    ways = (option(HERE, 1.0), option(APART, apart_s))
    options = {"python": ways, "python#2": ways}
    made = setting(WIDE, options, contention=Contention({2: efficiency}), apart=frozenset({APART}), **changes)
    return settle(WIDE, machine(HERE, APART), Request("latency", Limits(), Selection()), made, None, 1.0)


def devices(plan: Plan) -> set[str]:
    return {choice.device for choice in plan.choices.values()}


def test_two_functions_beside_each_other_leave_the_lock() -> None:
    """Each is a little slower apart, but both run at once, which the prediction says."""
    plan = wide(1.1)
    assert APART in devices(plan)
    assert plan.estimate.seconds < 1.5


@pytest.mark.parametrize(("apart_s", "efficiency"), [(2.5, 0.9), (1.1, 0.5)])
def test_they_stay_where_that_does_not_pay(apart_s: float, efficiency: float) -> None:
    """Handing over that costs too much, or cores that are no faster together: one after the other, in this process."""
    plan = wide(apart_s, efficiency)
    assert devices(plan) == {HERE}
    assert plan.estimate.seconds == pytest.approx(2.0, rel=1e-3)


def test_a_map_has_lanes_in_processes() -> None:
    """In one lane the function stays here; in two it goes where it does not wait, and that is faster."""
    ways = {"map#1/python": (option(HERE, 1.0), option(APART, 1.1))}
    made = setting(
        MAP, ways, evidence=evidence(MAP, lengths={"map#1": (8,)}), apart=frozenset({APART}),
        contention=Contention({2: 0.9}),
    )  # fmt: skip
    found = {
        int(way.choice.variant.settings["lanes"]): (inside["map#1/python"].device, way.estimate)
        for way, inside in control_options("map#1", MAP.nodes[0], 2, made)
    }
    assert (found[1][0], found[2][0]) == (HERE, APART)
    assert found[1][1] is not None
    assert found[2][1] is not None
    assert found[2][1].seconds < 0.75 * found[1][1].seconds


def test_only_devices_in_processes_are_apart() -> None:
    """Isolation is a property of the device, and that is all that the planner asks."""
    made = machine(HERE, "cpu/other")
    assert apart_of(made) == frozenset()


@pytest.mark.parametrize(
    ("seconds", "reason"), [(0.0001, "too quick"), (0.01, ""), (None, "was not measured")]
)
def test_quick_functions_are_not_even_tried_apart(seconds: float | None, reason: str, tmp_path: Any) -> None:
    """The measurement in this process decides; where there is none, nothing is guessed."""
    where = Processor("cpu", cores=2)
    here = Candidate("python", python.op, info(HERE), where, Variant("native"))
    apart = Candidate(
        "python",
        python.op,
        info(APART, isolation="process"),
        where,
        Variant("native", settings={"process": True}),
    )
    seen = evidence(WIDE)
    with ProfileStore(tmp_path / "profiles.sqlite") as store:
        if seconds is not None:
            measured = Measurement(seconds, 0.0, seconds, seconds, 10, seconds)
            store.put(here.key(seen.calls["python"][0].inputs), measured)
        found = too_quick([here, apart], seen, store)
    assert [is_apart(c) for c in (here, apart)] == [False, True]
    assert here not in found
    assert (reason in found[apart]) if reason else (apart not in found)


CHAIN = ht.pipeline(lambda xs: python(ht.map(python, python(xs)))).trace()


def ways_of(graph: Graph, *devices: str) -> list[Candidate]:
    cpu = Processor("cpu", cores=2)
    infos = [info(name, isolation="process" if name == APART else "inline") for name in devices]
    return [
        Candidate(path, node.op, one, cpu, Variant("native"))
        for path, node in graph.walk()
        for one in infos
        if not node.op.subgraphs
    ]


def test_a_function_with_nothing_beside_it_is_not_tried_in_a_process() -> None:
    """What is inside a map runs beside itself, and under load everything runs beside something."""
    ways = ways_of(CHAIN, HERE, APART)
    assert {c.path for c in nothing_beside(ways, CHAIN, "latency")} == {"python", "python#2"}
    assert all(is_apart(c) for c in nothing_beside(ways, CHAIN, "latency"))
    assert nothing_beside(ways, CHAIN, "throughput") == {}
    assert nothing_beside(ways_of(WIDE, HERE, APART), WIDE, "latency") == {}


def test_the_only_way_of_a_function_stays() -> None:
    """A user who allows nothing else gets it."""
    assert nothing_beside(ways_of(CHAIN, APART), CHAIN, "latency") == {}
