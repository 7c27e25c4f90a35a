"""What an actor asks Ray for."""

from dataclasses import replace

from cluster_nodes import add, double
from plans_by_hand import PYTHON, plan_of

import hetero as ht
from hetero.machine import Machine, Processor
from hetero.run.compile import compile_program
from hetero.run.legs import split
from hetero.run.ray_needs import needs_of

CPU = Processor("cpu", cores=4, node="a")
QPU = Processor("qpu0", kind="qpu", node="a")
GPU = Processor("gpu0", kind="gpu", node="a")
ON_QPU = replace(PYTHON, name="qpu0/python", processor="qpu0")
ON_GPU = replace(PYTHON, name="gpu0/python", processor="gpu0")
MACHINE = Machine((CPU, QPU, GPU), (PYTHON, ON_QPU, ON_GPU))


def needs(pipeline, offered, **plan):
    program = compile_program(plan_of(pipeline.trace(), on=MACHINE, **plan))
    return needs_of(split(program), MACHINE, offered)


@ht.pipeline
def pair(x):
    return add(double(x), double(x))


def test_an_actor_holds_the_cores_that_its_lanes_need_and_no_more():
    """Two tasks side by side are two CPUs; one after the other they are one."""
    side_by_side = {"double": (0, 1), "double#2": (0, 1), "add": (1, 2)}
    assert needs(pair, {"CPU": 4.0}, times=side_by_side).cpus == 2
    assert needs(pair, {"CPU": 4.0}).cpus == 1


def test_accelerators_are_asked_for_by_their_kind_or_name():
    """A GPU is Ray's GPU; anything else a custom resource called like the processor or its kind, if any is."""
    devices = {"double": "gpu0/python", "double#2": "qpu0/python"}
    found = needs(pair, {"CPU": 4.0, "GPU": 1.0, "qpu": 1.0}, devices=devices)
    assert (found.gpus, found.resources) == (1, {"qpu": 1.0})
    assert needs(pair, {"CPU": 4.0}, devices=devices).resources == {}


def test_an_accelerator_used_inside_a_map_is_asked_for_too():
    """The map counts on the CPU, its items run on the GPU."""

    @ht.pipeline
    def mapped(xs):
        return ht.map(double, xs)

    found = needs(mapped, {"CPU": 4.0, "GPU": 1.0}, devices={"map#1/double": "gpu0/python"})
    assert (found.cpus, found.gpus) == (1, 1)
