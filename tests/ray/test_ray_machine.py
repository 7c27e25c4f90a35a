"""A cluster as a machine."""

import pytest

from hetero.device import DeviceInfo
from hetero.errors import UnavailableError
from hetero.machine import Link, Machine, Processor
from hetero.run.ray_machine import NodeFacts, assemble, machine_from_ray


def a_node(name, cpus, *, gpu=False):
    processors = [Processor("cpu", cores=8)]
    devices = [DeviceInfo("cpu/python", "python", "3", "cpu", "", "", ("function",))]
    links = []
    if gpu:
        processors.append(Processor("gpu0", kind="gpu", memory_space="gpu0"))
        devices.append(DeviceInfo("gpu0/x", "x", "1", "gpu0", "", "", ("onnx",), memory_space="gpu0"))
        links = [Link("host", "gpu0", 1e-4, 1e10), Link("gpu0", "host", 1e-4, 1e10)]
    return NodeFacts(
        name, {"CPU": cpus, "GPU": float(gpu)}, Machine(tuple(processors), tuple(devices), tuple(links))
    )


def test_the_drivers_node_keeps_its_names_and_the_others_are_told_apart():
    """Names, memories and nodes of several computers never coincide; cores are what Ray may give away."""
    found = assemble([a_node("a", 4), a_node("b", 2, gpu=True)], [(1e-3, 1e9), (2e-3, 5e8)])
    assert {p.name: (p.cores, p.node, p.memory_space) for p in found.processors} == {
        "cpu": (4, "a", "host"),
        "n1:cpu": (2, "b", "n1:host"),
        "n1:gpu0": (1, "b", "n1:gpu0"),
    }
    assert [d.name for d in found.devices] == ["cpu/python", "n1:cpu/python", "n1:gpu0/x"]


def test_memories_of_different_nodes_are_linked_by_way_of_their_hosts():
    """Latencies add up, and a pair that was not measured says so."""
    found = assemble(
        [a_node("a", 4), a_node("b", 2, gpu=True), a_node("c", 1)], [(1e-3, 1e9), (2e-3, 1e9), (3e-3, 1e9)]
    )
    to_gpu = found.link("host", "n1:gpu0")
    assert to_gpu.latency_s == pytest.approx(1e-3 + 1e-4)
    assert 1 / to_gpu.bytes_per_s == pytest.approx(1e-9 + 1e-10)
    assert to_gpu.origin == "measured"
    assert found.link("n1:host", "host").origin == "modelled"
    assert found.link("n1:host", "n1:gpu0").latency_s == 1e-4


def test_a_node_without_cpus_to_give_has_no_processor():
    """A head node that is kept free of work is not planned on."""
    assert [p.name for p in assemble([a_node("a", 0), a_node("b", 2)], [(1e-3, 1e9)] * 2).processors] == [
        "n1:cpu"
    ]


@pytest.mark.ray
def test_a_running_cluster_is_read(cluster):
    """All nodes with one core each, their devices, and links that were measured or take after those that were."""
    found = machine_from_ray(cluster.address)
    assert [(p.name, p.cores) for p in found.processors if p.kind == "cpu"] == [
        ("cpu", 1),
        ("n1:cpu", 1),
        ("n2:cpu", 1),
    ]
    assert {"cpu/python", "n1:cpu/python"} <= {d.name for d in found.devices}
    links = [
        found.link(*pair) for pair in (("host", "n1:host"), ("n1:host", "n2:host"), ("n2:host", "n1:host"))
    ]
    assert [link.origin for link in links] == ["measured", "measured", "modelled"]
    assert all(0 < link.latency_s < 10 for link in links)
    import ray

    assert not ray.is_initialized(), "a connection that was made for this is given back"


@pytest.mark.ray
def test_no_cluster_is_an_error_that_says_how_to_start_one(cluster):
    """An address where nothing answers is UnavailableError."""
    with pytest.raises(UnavailableError, match="ray start --head"):
        machine_from_ray("127.0.0.1:1")
