"""A program executed on a Ray cluster: an actor for each site, a whole leg per call, values by object reference.

Ray restarts actors by itself, but waits for ever where a lost node's CPUs do not come back. So the executor
supervises its actors: a dead one is made again, elsewhere if its node is gone, and the session runs the request again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from hetero.errors import WorkerError
from hetero.events import Event, EventLog
from hetero.machine import Machine
from hetero.run.dispatch import Dispatcher
from hetero.run.executor import AtWork, Launched
from hetero.run.flight import Done, Flight
from hetero.run.legs import split
from hetero.run.program import Program, Recv, Slot, evaluate
from hetero.run.ray_actor import Site, first_line
from hetero.run.ray_connection import connect, release
from hetero.run.ray_machine import machine_from_ray
from hetero.run.timing import NodeStats
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


class RayExecutor:
    """Runs requests of one program on the cluster that its machine describes.

    Raises:
        UnavailableError: there is no cluster at ``address``, or no node that can take an actor.
        DeviceError: a node cannot be compiled where it was placed.
    """

    def __init__(self, program: Program, machine: Machine, address: str | None = None) -> None:
        connect(address)
        self.program = program
        self.parallel = max(sum(threads_of(program.stages, machine).values()), 2)
        self._legs = split(program)
        self._results = [item.slot for item in program.finish.body if isinstance(item, Recv)]
        self._log = EventLog()
        self._tracing = False
        self._callers = Dispatcher("ray", CALLERS, min(2 * self.parallel, CALLERS))
        self._sites: dict[str, Site] = {}
        try:
            for site in dict.fromkeys(leg.site for leg in self._legs):
                legs = {i: leg for i, leg in enumerate(self._legs) if leg.site == site}
                self._sites[site] = Site(site, legs, machine, self._log)
        except BaseException:
            self.close()
            raise

    def run(self, values: Sequence[Any]) -> Any:
        """The result of one request; the caller waits for it.

        Raises:
            NodeError: a node raised.
            WorkerError: an actor died under the request; it has been made again.
        """
        import ray

        from hetero.run.ray_site import NodeFailedError

        actors = {name: site.actor for name, site in self._sites.items()}
        try:
            return self._request(values, actors)
        except ray.exceptions.RayError as error:
            # An actor also reports the death of another one, whose value it was to take, as an error of its own.
            cause = error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
            if isinstance(cause, NodeFailedError):
                failed = cause.error()
                raise failed from failed.__cause__
            if not isinstance(cause, ray.exceptions.RayError):
                raise
            for name, actor in actors.items():
                self._sites[name].repair(actor)
            raise WorkerError(
                f"the cluster lost a request of {self.program.name!r}: {first_line(cause)}"
            ) from error

    def _request(self, values: Sequence[Any], actors: Mapping[str, Any]) -> Any:
        """Start all legs at once: Ray lets each one wait for the references that it takes."""
        import ray

        from hetero.run.ray_site import own_copy

        slots: dict[Slot, Any] = {}
        for slot, value in zip(self.program.inputs, values, strict=True):
            slots[slot] = ray.put(value) if nbytes_of(value) >= STORE_NBYTES else value
        silent = []
        for i, leg in enumerate(self._legs):
            run = actors[leg.site].run.options(num_returns=max(len(leg.gives), 1))
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
        for site in self._sites.values():
            site.trace(on)

    def stats(self) -> dict[str, NodeStats]:
        """Of the actors that live: one that died took its figures with it."""
        answers = self._ask(lambda actor: actor.stats.remote())
        return {path: found for stats in answers for path, found in stats.items()}

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
                site.close()
        release()

    def _ask(self, call: Callable[[Any], Any]) -> list[Any]:
        """The answers of the actors that live."""
        import ray

        answers = []
        for name, site in self._sites.items():
            try:
                answers.append(ray.get(call(site.actor), timeout=ANSWER_PATIENCE_S))
            except ray.exceptions.RayActorError as error:
                self._log.add("lost", name or "driver", first_line(error))
        return answers
