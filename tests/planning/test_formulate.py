"""Graph + options -> scheduling problem."""

from __future__ import annotations

import pytest
from planning.made import evidence, first, info, machine, option, second, setting

import hetero as ht
from hetero.errors import InfeasibleError
from hetero.machine import Link, Machine, Processor
from hetero.planning.formulate import formulate
from hetero.schedule.problem import Limits

CHAIN = ht.pipeline(lambda x: second(first(x))).trace()
BOTH = {
    "first": (option("cpu/a", 1.0), option("gpu0/b", 0.5)),
    "second": (option("cpu/a", 1.0), option("gpu0/b", 0.5)),
}
LINKS = (Link("host", "gpu0", 0.25, 1e3), Link("gpu0", "host", 0.5, 1e3))


def test_tasks_are_nodes_and_options_keep_their_meaning() -> None:
    """Each usable option is one of the task's, in order; those with a reason are left out."""
    options = {**BOTH, "first": (option("cpu/a", 9.0, reason="wrong"), *BOTH["first"])}
    found = formulate(CHAIN, machine("cpu/a", "gpu0/b", links=LINKS), Limits(), setting(CHAIN, options))
    assert [task.name for task in found.problem.tasks] == ["first", "second"]
    assert [o.processor for o in found.problem.tasks[0].options] == ["cpu", "gpu0"]
    assert {p: c.device for p, c in found.choices({"first": 1, "second": 0}).items()} == {
        "first": "gpu0/b",
        "second": "cpu/a",
    }


def test_inputs_and_outputs_cross_the_border() -> None:
    """On a device with a memory of its own, the pipeline's input comes from the host and its output goes back."""
    found = formulate(CHAIN, machine("cpu/a", "gpu0/b", links=LINKS), Limits(), setting(CHAIN, BOTH))
    by_name = {task.name: task.options for task in found.problem.tasks}
    assert by_name["first"][0].seconds == 1.0
    assert by_name["first"][1].seconds == pytest.approx(
        0.5 + 0.25 + 1.0
    )  # 1,000 bytes at 1,000 bytes a second
    assert by_name["second"][1].seconds == pytest.approx(0.5 + 0.5 + 1.0)


def test_an_edge_carries_the_bytes_of_a_request() -> None:
    """Two values between the same nodes are one edge with both; a value used twice counts once."""

    @ht.node(outputs=2)
    def pair(x: object) -> object:
        return x, x

    @ht.node
    def join(a: object, b: object, c: object) -> object:
        return a

    def pipeline(x: object) -> object:
        a, b = pair(x)
        return join(a, b, [a])

    graph = ht.pipeline(pipeline).trace()
    found = formulate(
        graph,
        machine("cpu/a"),
        Limits(),
        setting(graph, {n: (option("cpu/a", 1),) for n in ("pair", "join")}),
    )
    (edge,) = found.problem.edges
    assert (edge.source, edge.target, edge.nbytes) == ("pair", "join", 2000.0)


def test_devices_of_two_memories_are_linked_by_way_of_the_host() -> None:
    """Latencies add up, and so do the times of a byte."""
    where = machine(
        "gpu0/a", "gpu1/a", links=(Link("gpu0", "host", 0.25, 1e3), Link("host", "gpu1", 0.5, 1e3))
    )
    options = {"first": (option("gpu0/a", 1.0),), "second": (option("gpu1/a", 1.0),)}
    found = formulate(CHAIN, where, Limits(), setting(CHAIN, options))
    link = {(k.source, k.target): k for k in found.problem.links}["gpu0", "gpu1"]
    assert link.latency_s == 0.75
    assert link.bytes_per_s == pytest.approx(500.0)
    assert ("gpu1", "gpu0") not in {(k.source, k.target) for k in found.problem.links}


def test_a_model_used_twice_is_in_memory_once() -> None:
    """Two nodes of one op on one device in one precision share their weights."""
    twice = ht.pipeline(lambda x: first(first(x))).trace()
    options = {
        name: (option("cpu/a", 1.0, memory_bytes=8.0), option("gpu0/b", 1.0)) for name in ("first", "first#2")
    }
    found = formulate(twice, machine("cpu/a", "gpu0/b", links=LINKS), Limits(), setting(twice, options))
    one, two = (task.options for task in found.problem.tasks)
    assert one[0].resident == two[0].resident
    assert one[0].resident != one[1].resident


def test_a_map_is_one_task_that_holds_the_hosts_cores() -> None:
    """Its options are its lanes; its choices reach inside."""
    graph = ht.pipeline(lambda xs: ht.map(first, xs)).trace()
    seen = evidence(graph, lengths={"map#1": (4,)})
    made = setting(graph, {"map#1/first": (option("cpu/a", 1.0),)}, evidence=seen)
    found = formulate(graph, machine("cpu/a", cores=2), Limits(), made)
    (task,) = found.problem.tasks
    assert {o.processor for o in task.options} == {"cpu"}
    assert max(o.cores for o in task.options) <= 2
    assert set(found.choices({"map#1": 0})) == {"map#1", "map#1/first"}


def test_only_processors_that_are_used_are_in_the_problem() -> None:
    """A processor on which nothing can run says nothing."""
    where = Machine((Processor("cpu", cores=2), Processor("idle0")), (info("cpu/a"),))
    found = formulate(
        CHAIN, where, Limits(), setting(CHAIN, {n: (option("cpu/a", 1),) for n in ("first", "second")})
    )
    assert [p.name for p in found.problem.processors] == ["cpu"]


def test_a_map_whose_nodes_have_no_common_computer_is_refused() -> None:
    """Everything inside a map runs on one computer."""
    where = Machine(
        (Processor("cpu", node="one"), Processor("cpu2", node="two")),
        (info("cpu/a"), info("cpu2/a")),
    )
    graph = ht.pipeline(lambda xs: ht.map(lambda x: second(first(x)), xs)).trace()
    options = {"map#1/first": (option("cpu/a", 1),), "map#1/second": (option("cpu2/a", 1),)}
    with pytest.raises(InfeasibleError, match="map#1"):
        formulate(graph, where, Limits(), setting(graph, options))
