"""The actor of a site, seen from the driver: made, watched, made again."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hetero.errors import UnavailableError
from hetero.events import EventLog
from hetero.machine import Machine, Processor
from hetero.run.legs import Leg
from hetero.run.program import Lane, calls
from hetero.run.ray_connection import living_nodes
from hetero.run.sites import local_name

__all__ = ["Needs", "Site", "first_line", "needs_of"]

OPEN_PATIENCE_S = 180.0
HEALTH_PATIENCE_S = 30.0
CLOSE_PATIENCE_S = 5.0
CALLS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Needs:
    """What Ray must keep free for an actor, and the node where it belongs (``""``: anywhere)."""

    node_id: str = ""
    cpus: float = 0
    gpus: float = 0
    resources: Mapping[str, float] = field(default_factory=dict)


def needs_of(legs: Sequence[Leg], machine: Machine, offered: Mapping[str, float]) -> Needs:
    """What the legs of one site hold: the cores of its CPU at most, its GPUs, and every custom resource of the node
    that is called like a processor that they use or like its kind.

    ``offered`` are the resources of the node, as Ray counts them.
    """
    widths: dict[Lane, int] = {}
    for stage in (stage for leg in legs for stage in leg.program.stages):
        widths[stage.lane] = max(widths.get(stage.lane, 0), stage.cores)
    held: dict[str, int] = {}
    for lane, cores in widths.items():
        held[lane.processor] = held.get(lane.processor, 0) + cores
    for call in (call for leg in legs for stage in leg.program.stages for call in calls(stage.block)):
        # Inside a map the processor of a node is no lane of its own.
        held.setdefault(machine.device(legs[0].program.builds[call.executable].device).processor, 0)
    node_id, cpus, gpus = "", 0, 0
    resources: dict[str, float] = {}
    for name, cores in held.items():
        processor: Processor = machine.processor(name)
        node_id = processor.node or node_id
        if processor.kind == "cpu":
            cpus += min(cores, processor.cores)
        elif processor.kind == "gpu" and offered.get("GPU"):
            gpus += 1
        resources |= {word: 1.0 for word in (local_name(name), processor.kind) if word in offered}
    return Needs(node_id, cpus, gpus, resources)


class Site:
    """One actor with the legs of its site. Used from many threads.

    Raises:
        UnavailableError: no node can take the actor.
        DeviceError: a node of the program cannot be compiled there.
    """

    def __init__(self, name: str, legs: Mapping[int, Leg], machine: Machine, log: EventLog) -> None:
        self.name = name or "driver"
        self._payload = _payload(legs, machine)
        self._legs, self._machine, self._log = tuple(legs.values()), machine, log
        self._lock = threading.Lock()
        self._tracing = False
        self.actor = self._make()

    def repair(self, suspect: Any) -> None:
        """Make the actor again if this one, which a request has used, is dead."""
        import ray

        with self._lock:
            if suspect is not self.actor:  # another request has noticed already
                return
            try:
                ray.get(suspect.ready.remote(), timeout=HEALTH_PATIENCE_S)
            except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError) as error:
                self._log.add("restart", self.name, first_line(error))
                ray.kill(suspect)
                self.actor = self._remade()

    def _remade(self) -> Any:
        """A new actor. A node that has just been lost may still be listed as alive: then Ray refuses it, and we ask
        again until the list is right."""
        import ray

        deadline = time.monotonic() + OPEN_PATIENCE_S
        while True:
            try:
                return self._make()
            except ray.exceptions.RayError as error:
                if time.monotonic() > deadline:
                    raise UnavailableError(
                        f"site {self.name} cannot be made again: {first_line(error)}"
                    ) from error
                time.sleep(1.0)

    def trace(self, on: bool) -> None:
        """Keep spans or not, also in the actors that will replace this one."""
        import ray

        with self._lock:
            self._tracing = on
            ray.get(self.actor.set_tracing.remote(on), timeout=HEALTH_PATIENCE_S)

    def close(self) -> None:
        import ray

        try:
            ray.get(self.actor.close.remote(), timeout=CLOSE_PATIENCE_S)
        except (ray.exceptions.RayError, TimeoutError) as error:
            self._log.add("killed", self.name, first_line(error))
        ray.kill(self.actor)

    def _make(self) -> Any:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from hetero.run.ray_site import SiteHost

        needs = self._needs()
        options: dict[str, Any] = {
            "num_cpus": needs.cpus,
            "num_gpus": needs.gpus,
            "resources": dict(needs.resources),
        }
        if needs.node_id:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(needs.node_id, soft=False)
        remote: Any = ray.remote  # its annotations do not know all of an actor's options
        decorate = remote(
            max_concurrency=CALLS_AT_ONCE, max_restarts=0, concurrency_groups={"health": 1}, **options
        )
        actor = decorate(SiteHost).remote()
        try:
            ray.get(actor.open.remote(self._payload), timeout=OPEN_PATIENCE_S)
            if self._tracing:
                ray.get(actor.set_tracing.remote(True), timeout=OPEN_PATIENCE_S)
        except ray.exceptions.RayTaskError as error:
            ray.kill(actor)
            raise error.cause from error
        except ray.exceptions.GetTimeoutError as error:
            ray.kill(actor)
            raise UnavailableError(
                f"site {self.name}: no actor within {OPEN_PATIENCE_S:g} s; it needs {_words(needs)}, which other "
                "jobs on the cluster may hold"
            ) from error
        return actor

    def _needs(self) -> Needs:
        """Where the actor goes: to its node, or, if that is gone, to any that has the accelerators.

        There it asks for no CPUs: the remaining nodes' may all be held by our own other actors, and to share them
        is slower while to wait for them is for ever.
        """
        alive = {node["NodeID"]: node["Resources"] for node in living_nodes()}
        node_id = needs_of(self._legs, self._machine, {}).node_id
        offered = alive.get(node_id) or _best(alive.values(), self._legs, self._machine)
        needs = needs_of(self._legs, self._machine, offered)
        if node_id in alive:
            return needs
        self._log.add(
            "moved", self.name, f"its node {node_id[:8]} is gone; it shares the CPUs of another one"
        )
        return replace(needs, node_id="", cpus=0)


def _best(nodes: Any, legs: Sequence[Leg], machine: Machine) -> Mapping[str, float]:
    """The resources of the living node that has most of what the legs could ask for."""
    found = [
        (len(needs_of(legs, machine, offered).resources) + offered.get("GPU", 0), offered)
        for offered in nodes
    ]
    best: Mapping[str, float] = max(found, key=lambda pair: pair[0], default=(0, {}))[1]
    return best


def _payload(legs: Mapping[int, Leg], machine: Machine) -> bytes:
    import cloudpickle  # ops hold functions of scripts and notebooks

    return bytes(cloudpickle.dumps((dict(legs), machine)))


def _words(needs: Needs) -> str:
    return ", ".join(
        f"{value:g} {name}"
        for name, value in {"CPU": needs.cpus, "GPU": needs.gpus, **needs.resources}.items()
    )


def first_line(error: BaseException) -> str:
    """Ray's messages go on for pages."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
