"""Which site of a cluster works twice or more often: the busiest one first, on equal nodes that are free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hetero.machine import Machine
from hetero.run.legs import Leg
from hetero.run.program import calls
from hetero.run.sites import at_site, local_name, site_of

__all__ = ["busy_seconds", "period_s", "replicas", "sites_of"]


def sites_of(machine: Machine) -> tuple[str, ...]:
    """The sites of a machine that have processors, the driver's first."""
    return tuple(dict.fromkeys(site_of(processor.name) for processor in machine.processors))


def replicas(legs: Sequence[Leg], machine: Machine) -> dict[str, tuple[str, ...]]:
    """For each site of a program the sites whose nodes do its work, itself first.

    The busiest site is given another node as long as there is one that is free and equal in all that the site uses:
    same device, engine, hardware and as many cores, so that what was measured of one holds for all. While the busiest
    has none, a node for another site would let no more requests through.
    """
    own = {
        site: [leg for leg in legs if leg.site == site] for site in dict.fromkeys(leg.site for leg in legs)
    }
    busy = {site: busy_seconds(found, machine) for site, found in own.items()}
    free = [site for site in sites_of(machine) if site not in own]
    found: dict[str, tuple[str, ...]] = {site: (site,) for site in own}
    while free:
        site = max(found, key=lambda name: busy[name] / len(found[name]))
        twin = next((other for other in free if _is_equal(own[site], machine, other)), None)
        if twin is None:
            break
        free.remove(twin)
        found[site] = (*found[site], twin)
    return found


def period_s(legs: Sequence[Leg], machine: Machine) -> float:
    """Seconds between results in steady state, with its replicas: what the busiest site allows."""
    copies = replicas(legs, machine)
    return max(
        busy_seconds([leg for leg in legs if leg.site == site], machine) / len(nodes)
        for site, nodes in copies.items()
    )


def busy_seconds(legs: Sequence[Leg], machine: Machine) -> float:
    """How long one request keeps the busiest processor of a site: seconds x cores over the cores that there are."""
    busy: dict[str, float] = {}
    for leg in legs:
        for stage in leg.program.stages:
            paths = dict.fromkeys(call.path for call in calls(stage.block))
            seconds = sum(leg.program.predicted_s.get(path, 0.0) for path in paths)
            processor = machine.processor(stage.lane.processor)
            share = min(stage.cores, processor.cores) / processor.cores
            busy[processor.name] = busy.get(processor.name, 0.0) + seconds * share
    return max(busy.values(), default=0.0)


def _is_equal(legs: Sequence[Leg], machine: Machine, site: str) -> bool:
    """Whether a site has the like of every device that the legs use."""
    there = {device.name: device for device in machine.devices}
    capacity = {processor.name: processor.cores for processor in machine.processors}
    for name, kinds in _devices(legs).items():
        info = machine.device(name)
        twin = there.get(at_site(site, local_name(name)))
        if twin is None or capacity[twin.processor] < capacity[info.processor]:
            return False
        mine, its = machine.processor(info.processor), machine.processor(twin.processor)
        if info.fingerprint(mine) != twin.fingerprint(its):
            return False
        if not kinds <= set(twin.kinds):  # the same engine, on a node that is not for circuits
            return False
    return True


def _devices(legs: Sequence[Leg]) -> Mapping[str, set[str]]:
    """The devices that legs use, with the kinds of op that they run there."""
    used: dict[str, set[str]] = {}
    for leg in legs:
        for call in leg.calls():
            build = leg.program.builds[call.executable]
            used.setdefault(build.device, set()).add(build.op.kind)
    return used
