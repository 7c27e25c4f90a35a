"""A Ray cluster as a ``Machine``: its nodes, what their devices are, and the links between them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from statistics import median
from typing import Any

from hetero.errors import UnavailableError
from hetero.machine import Link, Machine, Processor
from hetero.run.ray_connection import connected, living_nodes
from hetero.run.sites import HOST_SPACE, at_site

__all__ = ["NodeFacts", "assemble", "machine_from_ray"]

SMALL_NBYTES, LARGE_NBYTES = 1_000, 8_000_000
REPEATS = 3
PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What is known of one node: its id in Ray, what Ray may give away on it, and its machine as it sees itself."""

    node_id: str
    resources: Mapping[str, float]
    machine: Machine


def machine_from_ray(address: str | None = None) -> Machine:
    """The cluster at this address: every living node with its processors and devices, as the node itself finds them.

    The node of the driver comes first and keeps local names; the others' names begin with ``n1:``, ``n2:``, ...
    Transfers between nodes are measured from each node to the next; a pair that was not is given the median.

    Raises:
        UnavailableError: there is no cluster, or a node does not answer.
    """
    with connected(address):
        import ray

        own = ray.get_runtime_context().get_node_id()
        alive = living_nodes()
        alive.sort(key=lambda node: (node["NodeID"] != own, node["NodeManagerAddress"], node["NodeID"]))
        probes = [_probe(node["NodeID"], node["Resources"]) for node in alive]
        try:
            machines = _get([probe.machine.remote() for probe in probes])
            ring = list(zip(probes, [*probes[1:], probes[0]], strict=True)) if len(probes) > 1 else []
            measured = [_measure(source, target) for source, target in ring]
        finally:
            for probe in probes:
                ray.kill(probe)
    facts = [
        NodeFacts(node["NodeID"], node["Resources"], machine)
        for node, machine in zip(alive, machines, strict=True)
    ]
    return assemble(facts, measured)


def assemble(nodes: Sequence[NodeFacts], ring: Sequence[tuple[float, float]]) -> Machine:
    """One machine out of several. ``ring`` has latency in seconds and bytes per second from each node to the next.

    A processor has no more cores than Ray may give away; a node whose CPUs are not to be used has none.
    """
    processors: list[Processor] = []
    devices = []
    links: list[Link] = []
    sites = ["" if i == 0 else f"n{i}" for i in range(len(nodes))]
    for site, facts in zip(sites, nodes, strict=True):
        for processor in facts.machine.processors:
            cores = processor.cores
            if processor.kind == "cpu":
                cores = min(cores, int(facts.resources.get("CPU", 0)))
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
            )
            for info in facts.machine.devices
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

    def machine(self) -> Machine:
        """The node's machine as it sees itself, with the links to the memories of its devices."""
        from hetero.cost.links import measure_links
        from hetero.registry import open_device

        found = Machine.detect()
        return found.with_links(*measure_links(found, open_device))

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
