"""The actor of a site on one node, seen from the driver: made, watched, made again."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hetero.errors import UnavailableError
from hetero.events import EventLog
from hetero.machine import Machine
from hetero.run.legs import Leg
from hetero.run.ray_connection import living_nodes
from hetero.run.ray_needs import Needs, most_offered, needs_of
from hetero.run.ray_shipping import Parcel
from hetero.run.workshop import threads_of

__all__ = ["Actor", "Reserved", "Work", "first_line"]

OPEN_PATIENCE_S = 180.0
HEALTH_PATIENCE_S = 20.0
CLOSE_PATIENCE_S = 5.0
LOOK_EVERY_S = 1.0
CALLS_AT_ONCE = 64
"""Where legs take turns on lanes inside an actor."""


@dataclass(frozen=True, slots=True)
class Work:
    """What an actor is for: the legs of a site, as values and as they travel."""

    legs: Mapping[int, Leg]
    machine: Machine
    parcel: Parcel

    @property
    def at_once(self) -> int:
        """How many legs may run at once in threads of their own; 0 where they need lanes: tasks of a leg run side by
        side, or legs hold different numbers of cores."""
        stages = [stage for leg in self.legs.values() for stage in leg.program.stages]
        widths = {(stage.lane.processor, stage.cores) for stage in stages}
        if len(widths) != 1 or any(leg.program.straight is None for leg in self.legs.values()):
            return 0
        (count,) = threads_of(stages, self.machine).values()
        return count

    def needs(self, offered: Mapping[str, float]) -> Needs:
        return needs_of(tuple(self.legs.values()), self.machine, offered)


@dataclass(frozen=True, slots=True)
class Reserved:
    """The node that an actor belongs to, and its bundle of the placement group, where it has one."""

    node_id: str
    group: Any = None
    bundle: int = -1


class Actor:
    """One actor with the legs of its site. Used from many threads.

    Raises:
        UnavailableError: no node can take the actor.
        DeviceError: a node of the program cannot be compiled there.
    """

    def __init__(self, name: str, work: Work, place: Reserved, log: EventLog) -> None:
        self.name = name or "driver"
        self._work, self._place, self._log = work, place, log
        self._lock = threading.Lock()
        self._tracing = False
        self._closed = threading.Event()
        self.handle, self._opening = self._start()

    @property
    def node_is_gone(self) -> bool:
        return self._place.node_id not in _alive()

    def opened(self) -> None:
        """Wait until the actor that was started can take requests; several of them start at once.

        Raises:
            UnavailableError, DeviceError: it never will.
        """
        self._wait(self.handle, self._opening)

    def repair(self, suspect: Any, *, move: bool) -> None:
        """Make the actor again if this one, which a request has used, is dead; on another node only if it may ``move``.

        Raises:
            UnavailableError: it cannot be made again.
        """
        import ray

        with self._lock:
            if suspect is not self.handle:  # another request has noticed already
                return
            started_s = time.monotonic()
            try:
                ray.get(suspect.ready.remote(), timeout=HEALTH_PATIENCE_S)
            except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError) as error:
                self._log.add("restart", self.name, first_line(error))
                ray.kill(suspect)
                self.handle = self._remade(move)
                self._log.add(
                    "restarted", self.name, f"it is back after {time.monotonic() - started_s:.1f} s"
                )

    def _remade(self, move: bool) -> Any:
        """A new actor. A node that has just been lost may still be listed as alive: then Ray refuses it, and we ask
        again until the list is right."""
        import ray

        deadline = time.monotonic() + OPEN_PATIENCE_S
        while True:
            try:
                if self._closed.is_set():
                    raise UnavailableError(f"site {self.name} was closed while it was made again")
                if not move and self.node_is_gone:
                    raise UnavailableError(f"its node {self._place.node_id[:8]} is gone; others do its work")
                handle, opening = self._start()
                self._wait(handle, opening)
                return handle
            except (ray.exceptions.RayError, _NodeGoneError) as error:
                if time.monotonic() > deadline:
                    raise UnavailableError(
                        f"site {self.name} cannot be made again: {first_line(error)}"
                    ) from error
                self._closed.wait(LOOK_EVERY_S)

    def trace(self, on: bool) -> None:
        """Keep spans or not, also in the actors that will replace this one."""
        import ray

        with self._lock:
            self._tracing = on
            ray.get(self.handle.set_tracing.remote(on), timeout=HEALTH_PATIENCE_S)

    def stop(self) -> None:
        """Make it no more, whoever is doing that."""
        self._closed.set()

    def close(self) -> None:
        import ray

        self.stop()
        try:
            ray.get(self.handle.close.remote(), timeout=CLOSE_PATIENCE_S)
        except (ray.exceptions.RayError, TimeoutError) as error:
            self._log.add("killed", self.name, first_line(error))
        ray.kill(self.handle)

    def _start(self) -> tuple[Any, Any]:
        """Ask Ray for an actor; it opens what it runs as soon as there is room for it. With it, what to wait for."""
        import ray

        from hetero.run.ray_site import ASIDE, SiteHost

        needs, strategy = self._where()
        remote: Any = ray.remote  # its annotations do not know all of an actor's options
        decorate = remote(
            # Ray's own pool of one thread costs a call a fifth less than one of several.
            max_concurrency=self._work.at_once or CALLS_AT_ONCE,
            # A leg whose values are still made elsewhere does not hold up those that came after it.
            allow_out_of_order_execution=True,
            max_restarts=0,
            concurrency_groups={ASIDE: 1},
            num_cpus=needs.cpus,
            num_gpus=needs.gpus,
            resources=dict(needs.resources),
            scheduling_strategy=strategy,
        )
        handle = decorate(SiteHost).remote()
        work = self._work
        return handle, handle.open.remote(work.parcel, int(needs.cpus), work.at_once > 0, self._tracing)

    def _wait(self, handle: Any, opening: Any) -> None:
        import ray

        deadline = time.monotonic() + OPEN_PATIENCE_S
        try:
            while not ray.wait([opening], timeout=LOOK_EVERY_S)[0]:
                if self._closed.is_set():
                    raise UnavailableError(f"site {self.name} was closed while it was opened")
                if self._place.node_id and self.node_is_gone:  # Ray would wait for ever
                    raise _NodeGoneError(f"node {self._place.node_id[:8]} is gone")
                if time.monotonic() > deadline:
                    needs, _ = self._where()
                    raise UnavailableError(
                        f"site {self.name}: no actor within {OPEN_PATIENCE_S:g} s; it needs {needs}, which other "
                        "jobs on the cluster may hold"
                    )
            unbound = ray.get(opening)
        except ray.exceptions.RayTaskError as error:
            ray.kill(handle)
            raise error.cause from error
        except BaseException:
            ray.kill(handle)
            raise
        if unbound:
            self._log.add("unbound", self.name, unbound)

    def _where(self) -> tuple[Needs, Any]:
        """What the actor asks for and where: its node, or, if that is gone, any that has the accelerators.

        There it asks for no CPUs: the remaining nodes' may all be held by our own other actors, and to share them
        is slower while to wait for them is for ever.
        """
        from ray.util.scheduling_strategies import (
            NodeAffinitySchedulingStrategy,
            PlacementGroupSchedulingStrategy,
        )

        alive, place = _alive(), self._place
        if place.node_id in alive:
            needs = self._work.needs(alive[place.node_id])
            if place.group is not None:
                return needs, PlacementGroupSchedulingStrategy(place.group, place.bundle)
            return needs, NodeAffinitySchedulingStrategy(place.node_id, soft=False)
        if place.node_id:
            self._place = Reserved("")
            self._log.add(
                "moved", self.name, f"its node {place.node_id[:8]} is gone; it shares the CPUs of another one"
            )
        offered = most_offered(alive.values(), tuple(self._work.legs.values()), self._work.machine)
        return replace(self._work.needs(offered), cpus=0), "DEFAULT"


class _NodeGoneError(Exception):
    """The node of an actor has left the cluster while the actor was made."""


def _alive() -> dict[str, Mapping[str, float]]:
    return {node["NodeID"]: node["Resources"] for node in living_nodes()}


def first_line(error: BaseException) -> str:
    """Ray's messages go on for pages."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
