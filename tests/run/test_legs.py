"""A program split by sites, run leg by leg in one process: what Ray does, without Ray."""

import random

import pytest
from plans_by_hand import plan_of

import hetero as ht
from hetero.device import DeviceInfo
from hetero.machine import Machine, Processor
from hetero.registry import open_device
from hetero.run.compile import compile_program
from hetero.run.legs import split
from hetero.run.local import LocalExecutor
from hetero.run.program import Move, calls
from hetero.run.sites import at_site, local_info

SITES = ("", "n1", "n2")


def two_cores_each():
    processors = tuple(Processor(at_site(s, "cpu"), cores=2, memory_space=at_site(s, "host")) for s in SITES)
    devices = tuple(
        DeviceInfo(
            at_site(s, "cpu/python"), "python", "3", at_site(s, "cpu"), "", "", ("function",), at_site(s, "host"),
            concurrency=64,
        )
        for s in SITES
    )  # fmt: skip
    return Machine(processors, devices)


def run_legs(program, machine, values):
    """Each leg by an executor of its own; what it gives is kept by slot."""
    slots = dict(zip(program.inputs, values, strict=True))
    for leg in split(program):
        executor = LocalExecutor(leg.program, machine, lambda info: open_device(local_info(info)))
        given = executor.run([slots[slot] for slot in leg.takes])
        slots.update(zip(leg.gives, given, strict=True))
        executor.close()
    return slots


def resolved(tree, slots):
    return slots[tree.slot]


@ht.node
def add(x, y):
    return x + y


@ht.node(outputs=2)
def both(x):
    return x, -x


def random_graph(dice):
    @ht.pipeline
    def wild(a, b=3):
        values = [a, b]
        for _ in range(dice.randint(1, 12)):
            x, y = dice.choice(values), dice.choice(values)
            values += [add(x, y)] if dice.random() < 0.7 else list(both(x))
        return [values[-1], dice.choice(values), add(values[-1], 1)]

    return wild.trace()


@pytest.mark.parametrize("seed", range(25))
def test_any_split_of_any_graph_computes_the_same(seed):
    """Random graphs on random sites, lanes and times: legs in order give what the graph alone gives."""
    dice = random.Random(seed)
    graph = random_graph(dice)
    end: dict[str, float] = {}
    times, devices, cores = {}, {}, {}
    for node in graph:
        start = max((end[parent] for parent in node.parents), default=0.0) + dice.choice([0, 0, 1])
        end[node.name] = start + dice.choice([0, 1, 2])
        times[node.name] = (start, end[node.name])
        devices[node.name] = at_site(dice.choice(SITES), "cpu/python")
        cores[node.name] = dice.choice([1, 1, 2])
    machine = two_cores_each()
    program = compile_program(plan_of(graph, times=times, devices=devices, cores=cores, on=machine))
    legs = split(program)
    slots = run_legs(program, machine, (5, 7))
    executor = LocalExecutor(program, machine, lambda info: open_device(local_info(info)))
    expected = graph.run(5, 7)
    assert executor.run((5, 7)) == expected
    executor.close()
    assert [resolved(tree, slots) for tree in program.finish.result.items] == expected
    called = [call.path for leg in legs for stage in leg.program.stages for call in calls(stage.block)]
    assert sorted(called) == sorted(node.name for node in graph)


def test_a_site_is_visited_as_seldom_as_possible():
    """There and back again are three legs, however many tasks each has."""

    @ht.pipeline
    def chain(x):
        for _ in range(6):
            x = add(x, 1)
        return x

    graph = chain.trace()
    names = [node.name for node in graph]
    there = {name: at_site("n1", "cpu/python") for name in names[2:4]}
    program = compile_program(plan_of(graph, devices=there, on=two_cores_each()))
    assert [(leg.site, len(leg.takes), len(leg.gives)) for leg in split(program)] == [
        ("", 1, 1),
        ("n1", 1, 1),
        ("", 1, 1),
    ]


def test_host_memories_of_two_sites_need_no_move():
    """Between hosts the executor carries values; only memories within a site are moved by instructions."""
    graph = random_graph(random.Random(3))
    devices = {node.name: at_site(SITES[i % 3], "cpu/python") for i, node in enumerate(graph)}
    program = compile_program(plan_of(graph, devices=devices, on=two_cores_each()))
    assert not [item for stage in program.stages for item in stage.block.body if isinstance(item, Move)]
