"""A program executed on a Ray cluster: an actor for each site, a whole leg per call, values by object reference.

Ray restarts actors by itself, but waits for ever where a lost node's CPUs do not come back. So the executor
supervises its actors: a dead one is made again, elsewhere if its node is gone, and the session runs the request again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Any, NoReturn

from hetero.admission import Admission
from hetero.errors import WorkerError
from hetero.events import Event, EventLog
from hetero.machine import Machine
from hetero.run.dispatch import Dispatcher
from hetero.run.executor import AtWork, Launched
from hetero.run.flight import Done, Landing
from hetero.run.legs import split
from hetero.run.program import Program
from hetero.run.ray_actor import Actor, Work, first_line
from hetero.run.ray_connection import connect, living_nodes, release
from hetero.run.ray_group import Group
from hetero.run.ray_machine import machine_from_ray
from hetero.run.ray_request import Sender, Sent, when_all
from hetero.run.ray_shipping import Store
from hetero.run.ray_sites import Site, Taken
from hetero.run.replicas import replicas
from hetero.run.sites import site_of
from hetero.run.timing import NodeStats
from hetero.run.together import together
from hetero.run.trace import Span
from hetero.run.workshop import threads_of

__all__ = ["RayExecutor", "machine_from_ray"]

ANSWER_PATIENCE_S = 30.0
CLOSE_PATIENCE_S = 5.0
IN_FLIGHT = 4
"""How many times as many requests are sent as can run at once: those that travel, and those that wait at an actor. The
others wait here, where they can still be dropped, and be sent to another actor when one turns out to be slow."""
MOST_IN_FLIGHT = 64
THREADS = 64
"""They finish requests; one that was lost waits in its thread until what it needs has been made again."""
STORE_SHARE = 0.25
"""How much of the object store of the driver's node the inputs of requests under way may fill. The rest is for what
nodes hand on, and for other jobs; a store that is full moves objects to disk, which is slow, and then fails."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One try of a request: the bytes that it has in the object store, and by site the actor that it uses."""

    nbytes: int
    taken: dict[str, Taken] = field(default_factory=dict)


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
        self._sender = Sender(program, self._legs)
        self._log = EventLog()
        self._tracing = False
        own = {leg.site: (leg.site,) for leg in self._legs}
        nodes = replicas(self._legs, machine) if replicate else own
        at_once = max(sum(threads_of(program.stages, machine).values()), 2)
        self.parallel = at_once * max(map(len, nodes.values()))
        self._door = Admission(min(IN_FLIGHT * self.parallel, MOST_IN_FLIGHT), inf)
        self._aside = Dispatcher("ray", THREADS, THREADS)
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
        self._door.limit_nbytes = STORE_SHARE * here.get("object_store_memory", inf)
        node_of = {site_of(p.name): p.node for p in machine.processors}
        needs = {
            name: works[site].needs(offered.get(node_of[name], {}))
            for site, names in nodes.items()
            for name in names
        }
        self._group = Group(self.program.name, needs, node_of)
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

        attempt = _Attempt(self._sender.stored_nbytes(values))
        self._door.wait(attempt.nbytes)

        def found() -> Any:
            sent = self._send(attempt, values)
            return sent.result(ray.get(list(sent.refs)))

        return self._outcome(attempt, found)

    def launch(self, values: Sequence[Any], done: Done) -> Landing:
        """Start a request; ``done`` is told once, in a thread of this executor.

        No thread waits for it: Ray tells when its values have come. That is in a thread of Ray's own, which must not
        wait for anything, so whatever follows is done by one of ours.
        """
        flight = Landing(done)
        attempt = _Attempt(self._sender.stored_nbytes(values))
        fly = partial(self._fly, flight, attempt, values)
        if self._door.enter(attempt.nbytes, partial(self._aside.put, fly, 1)):
            fly()
        return flight

    def _fly(self, flight: Landing, attempt: _Attempt, values: Sequence[Any]) -> None:
        if flight.over:  # it was left while it waited for room
            self._door.leave(attempt.nbytes)
            return
        try:
            sent = self._send(attempt, values)
        except BaseException as error:  # it belongs to who waits for the request, not to this thread
            self._aside.put(partial(self._land, flight, attempt, partial(_raise, error)), 1)
            return
        futures = [ref.future() for ref in sent.refs]

        def found() -> Any:
            return sent.result([future.result() for future in futures])

        when_all(futures, partial(self._aside.put, partial(self._land, flight, attempt, found), 1))

    def _land(self, flight: Landing, attempt: _Attempt, found: Callable[[], Any]) -> None:
        try:
            result, failed = self._outcome(attempt, found), None
        except BaseException as error:  # it belongs to who waits for the request, not to this thread
            result, failed = None, error
        flight.end(result, failed)

    def _send(self, attempt: _Attempt, values: Sequence[Any]) -> Sent:
        """Start the legs. Not before there is room: an actor is chosen, and its clock runs, for what goes out now."""
        attempt.taken.update((name, site.take()) for name, site in self._sites.items())
        return self._sender.send(values, {name: found.handle for name, found in attempt.taken.items()})

    def _outcome(self, attempt: _Attempt, found: Callable[[], Any]) -> Any:
        """The result of an attempt, or its error as a session knows it; then the actors are free for others."""
        import ray

        from hetero.run.ray_site import NodeFailedError

        answered = False
        try:
            try:
                result = found()
            finally:
                self._door.leave(attempt.nbytes)
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
            for name, taken in attempt.taken.items() if not full else ():
                self._sites[name].suspect(taken)
            raise WorkerError(
                f"the cluster lost a request of {self.program.name!r}: {first_line(cause)}"
            ) from error
        finally:
            for name, taken in attempt.taken.items():
                self._sites[name].give_back(taken, answered)

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
        return self._door.most_nbytes

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

        if ray.is_initialized():  # else Ray was shut down before us, and everything has ended with it
            for site in self._sites.values():
                site.close(CLOSE_PATIENCE_S)
            if self._group is not None:
                self._group.close()
        self._aside.close(CLOSE_PATIENCE_S)
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


def _raise(error: BaseException) -> NoReturn:
    raise error
