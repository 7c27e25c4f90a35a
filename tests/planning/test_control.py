"""Maps and branches as single tasks: lanes, threads, and the best inside."""

from __future__ import annotations

from typing import Any

import pytest
from planning.made import evidence, first, option, python, second, setting

import hetero as ht
from hetero.graph import Graph
from hetero.planning.contention import Contention
from hetero.planning.control import Setting, control_options

MAP = ht.pipeline(lambda xs: ht.map(lambda x: second(first(x)), xs)).trace()
BRANCH = ht.pipeline(lambda x: ht.branch(x, lambda: first(x), lambda: second(x))).trace()
NESTED = ht.pipeline(lambda xs: ht.map(lambda ys: ht.map(first, ys), xs)).trace()


def ways(graph: Graph, made: Setting, cores: int = 4) -> list[tuple[int, int, float, dict[str, str]]]:
    """(lanes, cores held, seconds, device by path) of each option."""
    node = graph.nodes[0]
    return [
        (
            int(found.choice.variant.settings.get("lanes", 0)),
            found.choice.variant.threads,
            found.estimate.seconds if found.estimate else 0.0,
            {path: f"{c.device} {c.variant.threads}" for path, c in inside.items()},
        )
        for found, inside in control_options(node.name, node, cores, made)
    ]


def of_map(*options: Any, items: int = 8, **changes: Any) -> Setting:
    """Both nodes of the map with these options."""
    seen = evidence(MAP, lengths={"map#1": (items,)})
    return setting(MAP, {"map#1/first": options, "map#1/second": options}, evidence=seen, **changes)


def test_one_lane_takes_the_sum_of_its_nodes() -> None:
    """The estimates inside are for all items of a request; what a lane adds per item is small."""
    lanes, cores, seconds, inside = ways(MAP, of_map(option("cpu/a", 0.5)))[0]
    assert (lanes, cores) == (1, 1)
    assert seconds == pytest.approx(1.0, rel=1e-3)
    assert set(inside) == {"map#1", "map#1/first", "map#1/second"}


def test_python_code_gains_nothing_from_lanes() -> None:
    """One interpreter lock: more lanes are never faster for functions."""
    graph = ht.pipeline(lambda xs: ht.map(python, xs)).trace()
    seen = evidence(graph, lengths={"map#1": (8,)})
    found = ways(graph, setting(graph, {"map#1/python": (option("cpu/python", 1.0),)}, evidence=seen))
    assert all(seconds >= 1.0 for _, _, seconds, _ in found)


def test_lanes_divide_the_time_as_far_as_the_machine_does() -> None:
    """Two lanes at 0.8 of the speed take a little over 1 / 1.6 of the time, waiting for the last item included."""
    found = {
        lanes: seconds
        for lanes, _, seconds, _ in ways(MAP, of_map(option("cpu/a", 0.5), contention=Contention({2: 0.8})))
    }
    assert 1 / 1.6 < found[2] < 0.75
    measured = of_map(option("cpu/a", 0.5), beside={("map#1/first", option("cpu/a", 0.5).choice, 2): 0.4})
    assert {lanes: seconds for lanes, _, seconds, _ in ways(MAP, measured)}[2] > found[2]


def test_lanes_and_threads_fit_the_cores() -> None:
    """No option holds more cores than there are, and a wide one of a node is taken where it is better."""
    found = ways(MAP, of_map(option("cpu/a", 1.0), option("cpu/a", 0.6, threads=2)), cores=4)
    assert all(cores <= 4 for _, cores, _, _ in found)
    widest = {lanes: inside["map#1/first"] for lanes, _, _, inside in found}
    assert widest[4] == "cpu/a 1"
    assert any(inside["map#1/first"] == "cpu/a 2" for _, _, _, inside in found)


def test_an_empty_map_costs_next_to_nothing() -> None:
    """No items, no time, and no division by their number."""
    seen = evidence(MAP, unreached=("map#1/first", "map#1/second"), lengths={"map#1": (0,)})
    made = setting(
        MAP, {path: (option("cpu/a", 0.1),) for path in ("map#1/first", "map#1/second")}, evidence=seen
    )
    found = ways(MAP, made)
    assert found
    assert found[0][2] == pytest.approx(0.0, abs=1e-6)


def test_a_branch_has_the_best_of_both_sides_and_both_memories() -> None:
    """What no sample reached takes no time on average, but its weights are there."""
    options = {
        "branch#1/then/first": (
            option("cpu/a", 0.3, memory_bytes=5.0),
            option("cpu/b", 0.2, memory_bytes=7.0),
        ),
        "branch#1/otherwise/second": (option("cpu/a", 0.4, memory_bytes=11.0),),
    }
    seen = evidence(BRANCH, unreached=("branch#1/otherwise/second",))
    node = BRANCH.nodes[0]
    ((found, inside),) = control_options(node.name, node, 1, setting(BRANCH, options, evidence=seen))
    assert found.estimate is not None
    assert found.estimate.seconds == pytest.approx(0.2)
    assert found.estimate.memory_bytes == 18.0
    assert inside["branch#1/then/first"].device == "cpu/b"
    assert found.choice.variant.settings == {}


def test_a_node_without_a_usable_option_leaves_no_way() -> None:
    """A refused option is not one, and an option of too many threads does not fit."""
    refused = option("cpu/a", 0.1, reason="too wrong")
    wide = option("cpu/a", 0.1, threads=4)
    assert ways(MAP, of_map(refused)) == []
    assert ways(MAP, of_map(wide), cores=2) == []
    assert {lanes for lanes, *_ in ways(MAP, of_map(wide), cores=4)} == {1}


def test_what_is_better_decides_inside() -> None:
    """For energy the slower option that takes fewer joules is chosen."""
    fast, frugal = option("cpu/fast", 0.1, joules=9.0), option("cpu/frugal", 0.5, joules=1.0)
    made = of_map(fast, frugal, better=lambda estimate: (estimate.joules, estimate.seconds))
    assert all(inside["map#1/first"].startswith("cpu/frugal") for _, _, _, inside in ways(MAP, made))


def test_a_map_in_a_map_is_planned_too() -> None:
    """Its choice, with its own lanes, is among the outer one's."""
    seen = evidence(NESTED, lengths={"map#1": (2,), "map#1/map#1": (3, 3)})
    made = setting(
        NESTED, {"map#1/map#1/first": (option("cpu/a", 0.6),)}, evidence=seen, contention=Contention({2: 0.9})
    )
    found = ways(NESTED, made)
    assert all(set(inside) == {"map#1", "map#1/map#1", "map#1/map#1/first"} for _, _, _, inside in found)
    assert all(cores <= 4 for _, cores, _, _ in found)
