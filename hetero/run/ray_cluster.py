"""A program executed on a Ray cluster: an actor for each site, a whole leg per call, values by object reference.

Ray restarts actors by itself, but waits for ever where a lost node's CPUs do not come back. So the executor
supervises its actors: a dead one is made again, elsewhere if its node is gone, and the session runs the request again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

from hetero.errors import WorkerError
from hetero.events import Event, EventLog
from hetero.machine import Machine
from hetero.run.byte_room import ByteRoom
from hetero.run.dispatch import Dispatcher
from hetero.run.executor import AtWork, Launched
from hetero.run.flight import Done, Flight
from hetero.run.legs import split
from hetero.run.program import Program, Recv, Slot, evaluate
from hetero.run.ray_actor import Actor, Work, first_line
from hetero.run.ray_connection import connect, living_nodes, release
from hetero.run.ray_group import Group
from hetero.run.ray_machine import machine_from_ray
from hetero.run.ray_shipping import Store
from hetero.run.ray_sites import Site, Taken
from hetero.run.replicas import replicas
from hetero.run.sites import site_of
from hetero.run.timing import NodeStats
from hetero.run.together import together
from hetero.run.trace import Span
from hetero.run.workshop import threads_of
from hetero.values import nbytes_of

__all__ = ["RayExecutor", "machine_from_ray"]

ANSWER_PATIENCE_S = 30.0
CLOSE_PATIENCE_S = 5.0
CALLERS = 64
"""The most requests in flight; each is waited for by a thread."""
STORE_NBYTES = 100_000
"""From this size on an input goes into the object store once; a smaller one travels in the calls that take it."""
STORE_SHARE = 0.25
"""How much of the object store of the driver's node the inputs of requests under way may fill. The rest is for what
nodes hand on, and for other jobs; a store that is full moves objects to disk, which is slow, and then fails."""


class RayExecutor:
    """Runs requests of one program on the cluster that its machine describes.

    Args:
        replicate: give the busiest site as many equal nodes as are free, for requests in flight.

    Raises:
        UnavailableError: there is no cluster at ``address``, or no node that can take an actor.
        DeviceError: a node cannot be compiled where it was placed.
    """

    def __init__(
        self,
        program: Program,
        machine: Machine,
        address: str | None = None,
        *,
        replicate: bool = False,
    ) -> None:
        connect(address)
        self.program = program
        self._legs = split(program)
        self._results = [item.slot for item in program.finish.body if isinstance(item, Recv)]
        self._log = EventLog()
        self._tracing = False
        own = {leg.site: (leg.site,) for leg in self._legs}
        nodes = replicas(self._legs, machine) if replicate else own
        at_once = max(sum(threads_of(program.stages, machine).values()), 2)
        self.parallel = at_once * max(map(len, nodes.values()))
        self._room = ByteRoom(inf)
        self._callers = Dispatcher("ray", CALLERS, min(2 * self.parallel, CALLERS))
        self._sites: dict[str, Site] = {}
        self._group: Group | None = None
        try:
            self._open(machine, nodes)
        except BaseException:
            self.close()
            raise

    def _open(self, machine: Machine, nodes: Mapping[str, Sequence[str]]) -> None:
        """Reserve room for all actors, start them all, then wait for each."""
        import ray

        store = Store(self.program.builds)
        works = {site: self._work(site, machine, store) for site in nodes}
        offered = {node["NodeID"]: node["Resources"] for node in living_nodes()}
        here = offered[ray.get_runtime_context().get_node_id()]
        self._room.limit_nbytes = STORE_SHARE * here.get("object_store_memory", inf)
        node_of = {site_of(p.name): p.node for p in machine.processors}
        needs = {
            name: replace(works[site].needs(offered.get(node_of[name], {})), node_id=node_of[name])
            for site, names in nodes.items()
            for name in names
        }
        self._group = Group(self.program.name, needs)
        for site, names in nodes.items():
            actors = [Actor(name, works[site], self._group.place(name), self._log) for name in names]
            self._sites[site] = Site(actors, self._log)
        for found in self._sites.values():
            for actor in found.actors:
                actor.opened()

    def _work(self, site: str, machine: Machine, store: Store) -> Work:
        legs = {i: leg for i, leg in enumerate(self._legs) if leg.site == site}
        return Work(legs, machine, store.parcel(legs, machine))

    def run(self, values: Sequence[Any]) -> Any:
        """The result of one request; the caller waits for it.

        Raises:
            NodeError: a node raised.
            WorkerError: an actor died under the request; it has been made again, or others go on without it.
            UnavailableError: it cannot be made again.
        """
        import ray

        from hetero.run.ray_site import NodeFailedError

        sizes = [nbytes_of(value) for value in values]
        taken: dict[str, Taken] = {}
        answered = False
        try:
            with self._room.holding(sum(size for size in sizes if size >= STORE_NBYTES)):
                # Not before there is room: an actor is chosen, and its clock runs, for a request that goes out now.
                taken.update((name, site.take()) for name, site in self._sites.items())
                actors = {name: found.handle for name, found in taken.items()}
                result = self._request(values, sizes, actors)
            answered = True
            return result
        except ray.exceptions.RayError as error:
            # An actor also reports the death of another one, whose value it was to take, as an error of its own.
            cause = error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
            if isinstance(cause, NodeFailedError):
                failed = cause.error()
                raise failed from failed.__cause__
            if not isinstance(cause, ray.exceptions.RayError):
                raise
            full = isinstance(cause, ray.exceptions.ObjectStoreFullError)  # no actor is to blame for that
            for name, found in taken.items() if not full else ():
                self._sites[name].suspect(found)
            raise WorkerError(
                f"the cluster lost a request of {self.program.name!r}: {first_line(cause)}"
            ) from error
        finally:
            for name, found in taken.items():
                self._sites[name].give_back(found, answered)

    def _request(self, values: Sequence[Any], sizes: Sequence[int], actors: Mapping[str, Any]) -> Any:
        """Start all legs at once: Ray lets each one wait for the references that it takes."""
        import ray

        from hetero.run.ray_site import own_copy

        slots: dict[Slot, Any] = {}
        for slot, value, size in zip(self.program.inputs, values, sizes, strict=True):
            slots[slot] = ray.put(value) if size >= STORE_NBYTES else value
        silent = []
        for i, leg in enumerate(self._legs):
            run = actors[leg.site].run
            if len(leg.gives) > 1:
                run = run.options(num_returns=len(leg.gives))
            refs = run.remote(i, *(slots[slot] for slot in leg.takes))
            if leg.gives:
                slots.update(zip(leg.gives, refs if len(leg.gives) > 1 else [refs], strict=True))
            else:  # nobody takes anything from it, but its nodes are to have run
                silent.append(refs)
        coming = [slot for slot in self._results if isinstance(slots[slot], ray.ObjectRef)]
        found = ray.get([*(slots[slot] for slot in coming), *silent])
        slots.update(zip(coming, map(own_copy, found), strict=False))
        assert self.program.finish.result is not None, "what finishes a program returns its result"
        return evaluate(self.program.finish.result, slots)

    def launch(self, values: Sequence[Any], done: Done) -> Flight:
        """Start a request; ``done`` is told once, in a thread of this executor."""
        flight = Flight([], (), done)
        self._callers.put(partial(self._fly, flight, values), 1)
        return flight

    def _fly(self, flight: Flight, values: Sequence[Any]) -> None:
        try:
            if not flight.over:
                flight.end(self.run(values), None)
        except BaseException as error:  # it belongs to who waits for the request, not to this thread
            flight.end(None, error)

    @property
    def busy(self) -> bool:
        return False  # what its actors do does not keep anything here from being closed

    def inside(self, flight: Launched) -> Sequence[AtWork]:
        return ()  # its actors are asked for results only

    @property
    def tracing(self) -> bool:
        return self._tracing

    @tracing.setter
    def tracing(self, on: bool) -> None:
        self._tracing = on
        for actor in self._actors:
            actor.trace(on)

    @property
    def most_stored_nbytes(self) -> int:
        """The most bytes of inputs that requests have had in the object store at once."""
        return self._room.most_nbytes

    @property
    def shares(self) -> dict[str, dict[str, int]]:
        """For each site how many requests each of its actors has answered."""
        return {name or "driver": site.router.answers for name, site in self._sites.items()}

    def stats(self) -> dict[str, NodeStats]:
        """Of the actors that live: one that died took its figures with it."""
        return together(self._ask(lambda actor: actor.stats.remote()))

    def spans(self, *, take: bool = False) -> list[Span]:
        """Times are each computer's own: clocks of different nodes are not compared."""
        return [span for spans in self._ask(lambda actor: actor.spans.remote(take)) for span in spans]

    def events(self) -> Sequence[Event]:
        return self._log.since()

    def close(self) -> None:
        """End the actors, then leave the cluster if it was joined here."""
        import ray

        self._callers.close(CLOSE_PATIENCE_S)
        if ray.is_initialized():  # else Ray was shut down before us, and everything has ended with it
            for site in self._sites.values():
                site.close(CLOSE_PATIENCE_S)
            if self._group is not None:
                self._group.close()
        release()

    @property
    def _actors(self) -> list[Actor]:
        return [actor for site in self._sites.values() for actor in site.actors]

    def _ask(self, call: Callable[[Any], Any]) -> list[Any]:
        """The answers of the actors that live."""
        import ray

        answers = []
        for actor in self._actors:
            try:
                answers.append(ray.get(call(actor.handle), timeout=ANSWER_PATIENCE_S))
            except ray.exceptions.RayActorError as error:
                self._log.add("silent", actor.name, first_line(error))
        return answers
