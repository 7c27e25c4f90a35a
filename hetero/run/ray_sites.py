"""A site of a program on the cluster: its actor, or several equal ones on different nodes that share its requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hetero.errors import DeviceError, UnavailableError
from hetero.events import EventLog
from hetero.run.ray_actor import Actor
from hetero.run.routing import Router

__all__ = ["Site", "Taken"]


@dataclass(frozen=True, slots=True)
class Taken:
    """The actor that a request uses at a site, and since when."""

    worker: int
    handle: Any
    under_way: int
    since_s: float


class Site:
    """Equal actors behind a router. Used from many threads."""

    def __init__(self, actors: Sequence[Actor], log: EventLog) -> None:
        self.actors, self._log = tuple(actors), log
        self.router = Router([actor.name for actor in actors], log)
        self._lock = threading.Lock()
        self._in_repair: set[int] = set()
        self._repairs: list[threading.Thread] = []

    def take(self) -> Taken:
        """An actor for one more request."""
        worker, under_way = self.router.pick()
        return Taken(worker, self.actors[worker].handle, under_way, time.monotonic())

    def give_back(self, taken: Taken, answered: bool) -> None:
        seconds = time.monotonic() - taken.since_s if answered else None
        self.router.ended(taken.worker, taken.under_way, seconds)

    def suspect(self, taken: Taken) -> None:
        """A request was lost that used this actor: look after it. Where there are others, they go on meanwhile, and
        nobody waits; the last one is waited for.

        Raises:
            UnavailableError: the only actor cannot be made again.
        """
        actor = self.actors[taken.worker]
        if taken.handle is not actor.handle:
            return
        if not self.router.down(taken.worker):
            actor.repair(taken.handle, move=True)
            self.router.back(taken.worker)
            return
        with self._lock:
            if taken.worker in self._in_repair:
                return
            self._in_repair.add(taken.worker)
            thread = threading.Thread(
                target=self._repair_aside, args=(taken,), name=f"hetero repair {actor.name}", daemon=True
            )
            self._repairs.append(thread)
            thread.start()

    def close(self, patience_s: float) -> None:
        """End the actors, and who makes one of them again."""
        for actor in self.actors:
            actor.stop()
        for thread in self._repairs:
            thread.join(patience_s)
        for actor in self.actors:
            actor.close()

    def _repair_aside(self, taken: Taken) -> None:
        actor = self.actors[taken.worker]
        try:
            actor.repair(taken.handle, move=False)
            self.router.back(taken.worker)
        except (UnavailableError, DeviceError) as error:
            self._log.add("lost", actor.name, str(error))
        finally:
            with self._lock:
                self._in_repair.discard(taken.worker)
