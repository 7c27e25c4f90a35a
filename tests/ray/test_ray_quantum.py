"""Circuits run on nodes that offer ``quantum``, where any does; models and functions run anywhere."""

import numpy as np
import pytest
from cluster_nodes import double
from plans_by_hand import plan_of

import hetero as ht
from hetero.device import DeviceInfo
from hetero.machine import Machine, Processor
from hetero.run.compile import compile_program
from hetero.run.legs import split
from hetero.run.ray_machine import NodeFacts, assemble
from hetero.run.replicas import replicas
from hetero.run.sites import site_of

qiskit = pytest.importorskip("qiskit")

KINDS = ("function", "circuit", "noisy circuit", "circuit gradient", "circuit overlap")
LINKS = [(1e-3, 1e9)] * 3


def facts(node_id, **resources):
    device = DeviceInfo("cpu/python", "python", "3", "cpu", "any", "Python", KINDS)
    return NodeFacts(node_id, {"CPU": 1.0, **resources}, Machine((Processor("cpu", cores=1),), (device,)))


def turned():
    circuit = qiskit.QuantumCircuit(2)
    angle = qiskit.circuit.Parameter("t")
    circuit.ry(angle, 0)
    circuit.cx(0, 1)
    return ht.from_qiskit(circuit, observables="IZ", name="turned")


def test_only_nodes_with_the_resource_offer_circuits_of_any_kind():
    """Where no node has it, all offer them."""
    found = assemble([facts("a"), facts("b", quantum=1.0), facts("c")], LINKS)
    assert {device.name: device.kinds for device in found.devices} == {
        "cpu/python": ("function",),
        "n1:cpu/python": KINDS,
        "n2:cpu/python": ("function",),
    }
    assert {device.kinds for device in assemble([facts("a"), facts("b")], LINKS[:2]).devices} == {KINDS}


def test_a_circuit_is_copied_to_nodes_for_circuits_only():
    """Its site has a replica on the other such node; a function's has one on each free node."""
    machine = assemble(
        [facts("a"), facts("b", quantum=1.0), facts("c"), facts("d", quantum=1.0)], [*LINKS, LINKS[0]]
    )
    callee = turned()

    @ht.pipeline
    def energy(x):
        return callee(x)

    @ht.pipeline
    def doubled(x):
        return double(x)

    def nodes_of(pipeline, path):
        plan = plan_of(pipeline.trace(), on=machine, devices={path: "n1:cpu/python"})
        return set(replicas(split(compile_program(plan)), machine)["n1"])

    assert nodes_of(energy, "turned") == {"n1", "n3"}
    assert nodes_of(doubled, "double") == {"n1", "", "n2", "n3"}


@pytest.mark.ray
def test_a_plan_runs_its_circuit_on_the_node_that_is_for_them(cluster):
    """The other nodes go without; its actor holds the resource, and the function before it runs elsewhere or there."""
    import ray

    callee = turned()

    @ht.pipeline
    def energy(x):
        return callee(double(x))

    angles = np.linspace(0.0, 1.0, 5)[:, None]
    with ht.plan(energy, angles).on_ray(cluster.address) as plan:
        site = site_of(plan.choices["turned"].device)
        node = next(p.node for p in plan.machine.processors if site_of(p.name) == site)
        (offering,) = [n["NodeID"] for n in ray.nodes() if n["Alive"] and "quantum" in n["Resources"]]
        assert node == offering
        assert ray.available_resources().get("quantum", 0.0) == 0.0
        np.testing.assert_allclose(plan(angles), np.cos(2 * angles[:, 0]), atol=1e-9)
