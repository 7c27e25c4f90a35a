"""A Ray cluster as a ``Machine``: its nodes, what their devices are, and the links between them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from statistics import median
from typing import Any

from hetero.device import DeviceInfo, DeviceStatus
from hetero.errors import UnavailableError
from hetero.machine import Link, Machine, Processor
from hetero.run.ray_connection import connected, living_nodes
from hetero.run.ray_needs import QUANTUM, is_circuit
from hetero.run.sites import HOST_SPACE, at_site

__all__ = ["Cluster", "NodeFacts", "assemble", "look_at_cluster", "machine_from_ray"]

SMALL_NBYTES, LARGE_NBYTES = 1_000, 8_000_000
REPEATS = 3
PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What is known of one node: its id in Ray, what Ray may give away on it, and its machine as it sees itself."""

    node_id: str
    resources: Mapping[str, float]
    machine: Machine
    lacking: tuple[DeviceStatus, ...] = ()
    """The devices that it could have, with what is missing."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster as a machine, and by site what its nodes lack."""

    machine: Machine
    lacking: Mapping[str, tuple[DeviceStatus, ...]]


def machine_from_ray(address: str | None = None, labels: Mapping[str, str] | None = None) -> Machine:
    """The cluster at this address: every living node with its processors and devices, as the node itself finds them.

    The node of the driver comes first and keeps local names; the others' names begin with ``n1:``, ``n2:``, ...
    Transfers between nodes are measured from each node to the next, once for a set of nodes; a pair that was not is
    given the median.

    Args:
        labels: use only nodes whose Ray labels have these values.

    Raises:
        UnavailableError: there is no cluster, no such node, or a node does not answer.
    """
    return look_at_cluster(address, labels).machine


def look_at_cluster(address: str | None = None, labels: Mapping[str, str] | None = None) -> Cluster:
    """As ``machine_from_ray``, with what the nodes lack."""
    with connected(address):
        import ray

        own = ray.get_runtime_context().get_node_id()
        found = living_nodes()
        alive = [node for node in found if (labels or {}).items() <= node["Labels"].items()]
        if not alive:
            known = sorted(
                {f"{k}={v}" for node in found for k, v in node["Labels"].items()} - _own_labels(found)
            )
            raise UnavailableError(
                f"no node of the cluster has the labels {dict(labels or {})}; there are: {', '.join(known) or 'none'}"
            )
        alive.sort(key=lambda node: (node["NodeID"] != own, node["NodeManagerAddress"], node["NodeID"]))
        probes = [_probe(node["NodeID"], node["Resources"]) for node in alive]
        try:
            seen = _get([probe.look.remote() for probe in probes])
            measured = _measured_ring(tuple(node["NodeID"] for node in alive), probes)
        finally:
            for probe in probes:
                ray.kill(probe)
    facts = [
        NodeFacts(node["NodeID"], node["Resources"], machine, lacking)
        for node, (machine, lacking) in zip(alive, seen, strict=True)
    ]
    sites = _sites(len(facts), first_is_own=alive[0]["NodeID"] == own)
    return Cluster(
        assemble(facts, measured, sites),
        {site: node.lacking for site, node in zip(sites, facts, strict=True)},
    )


def _sites(number: int, *, first_is_own: bool = True) -> list[str]:
    """The names of sites: none for the driver's node, then ``n1``, ``n2``, ..."""
    return ["" if i == 0 and first_is_own else f"n{i if first_is_own else i + 1}" for i in range(number)]


def _own_labels(nodes: Sequence[Mapping[str, Any]]) -> set[str]:
    """The labels by which Ray names each single node, which nobody selects by."""
    return {f"{k}={v}" for node in nodes for k, v in node["Labels"].items() if k == "ray.io/node-id"}


def assemble(
    nodes: Sequence[NodeFacts], ring: Sequence[tuple[float, float]], sites: Sequence[str] | None = None
) -> Machine:
    """One machine out of several. ``ring`` has latency in seconds and bytes per second from each node to the next.

    A processor has no more cores than Ray may give away, and a device there no more threads; a node whose CPUs are not
    to be used has none. The first of the ``sites`` is the driver's node unless they say otherwise.
    """
    processors: list[Processor] = []
    devices = []
    links: list[Link] = []
    sites = _sites(len(nodes)) if sites is None else sites
    for site, facts in zip(sites, nodes, strict=True):
        for processor in facts.machine.processors:
            cores = min(processor.cores, int(_offered(facts, processor)))
            if cores:
                processors.append(
                    replace(
                        processor,
                        name=at_site(site, processor.name),
                        cores=cores,
                        memory_space=at_site(site, processor.memory_space),
                        node=facts.node_id,
                    )
                )
        devices += [
            replace(
                info,
                name=at_site(site, info.name),
                processor=at_site(site, info.processor),
                memory_space=at_site(site, info.memory_space),
                max_threads=min(info.max_threads, _cores(facts, info.processor)),
                kinds=kinds,
            )
            for info in facts.machine.devices
            for kinds in [_kinds(info, facts, nodes)]
            if kinds
        ]
        links += [
            replace(link, source=at_site(site, link.source), target=at_site(site, link.target))
            for link in facts.machine.links
        ]
    kept = {processor.name for processor in processors}
    spaces = [
        (site, space)
        for site, facts in zip(sites, nodes, strict=True)
        for space in dict.fromkeys((HOST_SPACE, *(p.memory_space for p in facts.machine.processors)))
    ]
    return Machine(
        tuple(processors),
        tuple(info for info in devices if info.processor in kept),
        (*links, *_between(sites, spaces, {(k.source, k.target): k for k in links}, ring)),
        origin="ray",
    )


def _kinds(info: DeviceInfo, facts: NodeFacts, nodes: Sequence[NodeFacts]) -> tuple[str, ...]:
    """The ops that a device of a node is to be used for."""
    elsewhere = QUANTUM not in facts.resources and any(QUANTUM in node.resources for node in nodes)
    return tuple(kind for kind in info.kinds if not (elsewhere and is_circuit(kind)))


def _offered(facts: NodeFacts, processor: Processor) -> float:
    """How many of a processor's cores Ray may give away: it counts those of CPUs only."""
    return facts.resources.get("CPU", 0) if processor.kind == "cpu" else processor.cores


def _cores(facts: NodeFacts, name: str) -> int:
    processor = facts.machine.processor(name)
    return max(min(processor.cores, int(_offered(facts, processor))), 1)


def _between(
    sites: Sequence[str],
    spaces: Sequence[tuple[str, str]],
    inside: Mapping[tuple[str, str], Link],
    ring: Sequence[tuple[float, float]],
) -> list[Link]:
    """Links between the memories of different sites: out to the host, over the network, and in."""
    if len(sites) < 2:
        return []
    usual = median(latency for latency, _ in ring), median(rate for _, rate in ring)
    following = dict(zip(sites, [*sites[1:], sites[0]], strict=True))
    found = []
    for (a, from_space), (b, to_space) in permutations(spaces, 2):
        if a == b:
            continue
        measured = following[a] == b
        latency_s, bytes_per_s = ring[sites.index(a)] if measured else usual
        ways = [
            inside.get((at_site(a, from_space), at_site(a, HOST_SPACE)))
            if from_space != HOST_SPACE
            else None,
            inside.get((at_site(b, HOST_SPACE), at_site(b, to_space))) if to_space != HOST_SPACE else None,
        ]
        steps = [way for way in ways if way is not None]
        found.append(
            Link(
                at_site(a, from_space),
                at_site(b, to_space),
                latency_s + sum(step.latency_s for step in steps),
                1 / (1 / bytes_per_s + sum(1 / step.bytes_per_s for step in steps)),
                "measured" if measured else "modelled",
            )
        )
    return found


class Probe:
    """What runs on a node while it is looked at."""

    def look(self) -> tuple[Machine, tuple[DeviceStatus, ...]]:
        """The node's machine as it sees itself, with the links to the memories of its devices; and what it lacks."""
        from hetero.cost.links import measure_links
        from hetero.registry import devices, open_device

        found = Machine.detect()
        lacking = tuple(status for status in devices() if not status.available)
        return found.with_links(*measure_links(found, open_device)), lacking

    def make(self, nbytes: int) -> Any:
        import numpy as np

        return np.zeros(nbytes, np.uint8)

    def take(self, refs: list[Any]) -> float:
        """Seconds that fetching a value takes; it comes in a list, so that Ray does not fetch it beforehand."""
        import ray

        start = time.perf_counter()
        ray.get(refs[0])
        return time.perf_counter() - start

    def nothing(self, value: Any) -> None:
        """A call to be timed."""


def _probe(node_id: str, resources: Mapping[str, float]) -> Any:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Without its GPUs in the request Ray would hide them from the process.
    return (
        ray.remote(Probe)
        .options(
            num_cpus=0,
            num_gpus=resources.get("GPU", 0),
            scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False),
        )
        .remote()
    )


_rings: dict[tuple[str, ...], list[tuple[float, float]]] = {}
"""Links that this process has measured, by the nodes: the same nodes' network is not measured again."""


def _measured_ring(nodes: tuple[str, ...], probes: Sequence[Any]) -> list[tuple[float, float]]:
    if len(nodes) < 2:
        return []
    if nodes not in _rings:
        pairs = zip(probes, [*probes[1:], probes[0]], strict=True)
        _rings[nodes] = [_measure(source, target) for source, target in pairs]
    return _rings[nodes]


def _measure(source: Any, target: Any) -> tuple[float, float]:
    """Latency in seconds and bytes per second from one node to another.

    The latency is that of a call with a small value that the other node made: what one more leg of a program costs.
    """
    calls, large = [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        _get([target.nothing.remote(source.make.remote(SMALL_NBYTES))])
        calls.append((time.perf_counter() - start) / 2)
        made = source.make.remote(LARGE_NBYTES)
        _wait(made)
        large.append(_get([target.take.remote([made])])[0])
    # The first transfer opens connections: the fastest of a few is what the others cost.
    return min(calls), LARGE_NBYTES / max(min(large), 1e-9)


def _wait(ref: Any) -> None:
    import ray

    ray.wait([ref], timeout=PATIENCE_S, fetch_local=False)


def _get(refs: list[Any]) -> Any:
    import ray

    try:
        return ray.get(refs, timeout=PATIENCE_S)
    except ray.exceptions.GetTimeoutError as error:
        raise UnavailableError(
            f"a node of the Ray cluster did not answer within {PATIENCE_S:g} s; its GPUs may be held by another job"
        ) from error
