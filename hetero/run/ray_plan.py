"""A plan solved again for a cluster: spread over its nodes, or on one of them, whichever is better."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from hetero import show
from hetero.cost.store import ProfileStore
from hetero.device import DeviceStatus
from hetero.errors import InfeasibleError
from hetero.machine import Machine
from hetero.planning.decide import decide
from hetero.planning.selection import known_words, select
from hetero.plans import CONTROL, Plan
from hetero.registry import rows
from hetero.run.compile import compile_program
from hetero.run.legs import Leg, split
from hetero.run.ray_connection import connected
from hetero.run.ray_device import opener_of
from hetero.run.ray_machine import Cluster, look_at_cluster
from hetero.run.ray_profile import measure_there
from hetero.run.replicas import period_s, replicas, sites_of
from hetero.run.sites import local_info, local_name, site_of

__all__ = ["best_of", "decided_for", "lacking_notes", "plan_for_cluster"]

Decide: TypeAlias = Callable[[Machine], Plan]

WORTH = 1.02
"""A network is worth its trouble from this factor on; what is below is within the noise of measurements."""


def plan_for_cluster(plan: Plan, address: str | None, labels: Mapping[str, str] | None = None) -> Plan:
    """The same request for a cluster, and opened there.

    Planned again later it takes in what has changed: nodes that were added, nodes that are gone.

    Raises:
        UnavailableError: there is no cluster at the address, or no node with these labels.
        InfeasibleError: no node can run a part of it; says what each of them lacks.
    """
    # One connection for looking, measuring and opening: joining a cluster takes seconds.
    with connected(address), ProfileStore() as store:
        found = decided_for(plan, look_at_cluster(address, labels), store)
        opened = replace(found, cluster=address or "auto")
        _ = opened.session
        return opened


def decided_for(plan: Plan, cluster: Cluster, store: ProfileStore) -> Plan:
    """The same request decided for a cluster as it was seen; nothing of it is opened.

    Raises:
        InfeasibleError: no node can run a part of it; says what each of them lacks.
    """
    words = known_words(cluster.machine, rows(), ())
    usable = select(cluster.machine, plan.request.selection, words, ())
    opener = opener_of(usable)

    def decide_on(machine: Machine) -> Plan:
        return decide(
            plan.graph,
            machine,
            plan.request,
            plan.samples,
            store,
            evidence=plan.evidence,
            measure=measure_there,
            opener=opener,
        )

    try:
        found = best_of(usable, decide_on)
    except InfeasibleError as error:
        lacking = [note for site in cluster.lacking for note in _lacks(cluster, site, lambda status: True)]
        raise InfeasibleError("; ".join([str(error), *lacking])) from error
    return replace(found, notes=(*found.notes, *lacking_notes(cluster)))


def best_of(machine: Machine, decide_on: Decide) -> Plan:
    """The best of a plan spread over the machine and those on one node of each kind; its notes say by how much.

    The solver could find the latter by itself, but proves nothing about large problems, and a throughput counts with
    replicas, of which it knows nothing: a pipeline that fits on one node is often best copied to every one.
    """
    started_s = time.perf_counter()
    spread = decide_on(machine)
    measured_s = time.perf_counter()
    sites = sites_of(machine)
    if len(sites) == 1:
        return spread
    alone = [_Rated.of(replace(found, machine=spread.machine)) for found in _alone(machine, decide_on)]
    everywhere = _Rated.of(spread)
    # The first that is nearly as good, the driver's node before others: what differs by less is noise of measurements.
    least = min((found.value for found in alone), default=0.0)
    best_alone = next((found for found in alone if found.value <= WORTH * least), None)
    used = _sites_used(spread)
    took = f"spread over the nodes in {measured_s - started_s:.2f} s, measuring included; on one in {{:.2f}} s".format(
        time.perf_counter() - measured_s
    )
    if best_alone is None:
        return _noted(spread, "no node alone can run all of it", took)
    both = f"{best_alone} on {_names(_sites_used(best_alone.plan))} alone"
    one_is_enough = best_alone.value <= WORTH * everywhere.value
    if len(used) == 1 or one_is_enough:
        other = f", {everywhere} spread over {_names(used)}" if len(used) > 1 else ""
        best = best_alone.plan if one_is_enough else spread
        return _noted(best, f"one node is best: {both}{other}", took)
    return _noted(spread, f"spread over {_names(used)}: {everywhere}; {both}", took)


@dataclass(frozen=True, slots=True)
class _Rated:
    """A plan with what is to be small: seconds of a request or between results, joules, dollars."""

    plan: Plan
    value: float

    @classmethod
    def of(cls, plan: Plan) -> _Rated:
        if plan.objective == "throughput":
            return cls(plan, period_s(_legs(plan), plan.machine))
        whole = {
            "latency": plan.estimate.seconds,
            "energy": plan.estimate.joules,
            "cost": plan.estimate.dollars,
        }
        return cls(plan, whole[plan.objective])

    def __str__(self) -> str:
        if self.plan.objective == "throughput":
            return f"{1 / self.value:.3g} results a second" if self.value else "no load"
        if self.plan.objective == "latency":
            return show.seconds(self.value)
        return f"{self.value:.3g} {'J' if self.plan.objective == 'energy' else '$'}"


def _noted(plan: Plan, *notes: str) -> Plan:
    """The plan with notes, and what its replicas are where it has any."""
    found = (*plan.notes, *notes)
    if plan.objective == "throughput":
        copies = replicas(_legs(plan), plan.machine)
        found += tuple(
            f"{len(nodes)} replicas of what runs on {_names([site])}: on {_names(nodes)}"
            for site, nodes in copies.items()
            if len(nodes) > 1
        )
    return replace(plan, notes=found)


def _alone(machine: Machine, decide_on: Decide) -> Iterator[Plan]:
    """A plan on one node of each kind, where one can run all of it."""
    kinds = {_kind(machine, site): site for site in reversed(sites_of(machine))}
    for site in reversed(kinds.values()):
        try:
            yield decide_on(_only(machine, site))
        except InfeasibleError:  # this kind of node lacks a device, or keeps no limit: the others are asked
            continue


def _kind(machine: Machine, site: str) -> tuple[object, ...]:
    """Equal for nodes on which a plan would be the same."""
    part = _only(machine, site)
    devices = [(local_info(d), d.fingerprint(part.processor(d.processor))) for d in part.devices]
    return (*devices, *((local_name(p.name), p.cores, p.memory_bytes) for p in part.processors))


def _only(machine: Machine, site: str) -> Machine:
    return replace(
        machine,
        processors=tuple(p for p in machine.processors if site_of(p.name) == site),
        devices=tuple(d for d in machine.devices if site_of(d.name) == site),
    )


def _legs(plan: Plan) -> tuple[Leg, ...]:
    return split(compile_program(plan))


def _sites_used(plan: Plan) -> tuple[str, ...]:
    devices = (choice.device for choice in plan.choices.values() if choice.device != CONTROL)
    return tuple(dict.fromkeys(map(site_of, devices)))


def _names(sites: Sequence[str]) -> str:
    return ", ".join(site or "the driver's node" for site in sites)


def lacking_notes(cluster: Cluster) -> tuple[str, ...]:
    """What nodes lack that others have: nothing of it was planned there."""
    engines = {device.engine for device in cluster.machine.devices}
    present = {local_name(d.name) for d in cluster.machine.devices if d.engine in engines}
    return tuple(
        note
        for site in cluster.lacking
        for note in _lacks(cluster, site, lambda status: status.name in present)
    )


def _lacks(cluster: Cluster, site: str, wanted: Callable[[DeviceStatus], bool]) -> Iterator[str]:
    for status in cluster.lacking[site]:
        if wanted(status):
            hint = f" ({status.install})" if status.install else ""
            yield f"{_names([site])} has no {status.name}: {status.reason}{hint}"
