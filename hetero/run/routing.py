"""Which of several equal workers takes the next request: the one that is expected to answer it first."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from math import sqrt

from hetero.events import EventLog

__all__ = ["Router"]

MEMORY = 0.2
"""How much of a worker's pace the latest request is."""
SLOW = 2.0
"""From this many times the pace of the fastest on, a worker is told to be slow."""
WARM_AFTER = 3
"""Answers of a worker that say nothing about its pace: they open connections and fill caches."""
KNOWN_AFTER = 5
RETRY_EVERY = 32
"""One request in so many goes to whoever has waited longest for one: it may be fast again."""


class Router:
    """Counts what each worker has under way and how quickly it answers. Used from many threads.

    A worker's *pace* is the mean of seconds to an answer over requests that it had under way: what one request takes
    of it while it is busy. Requests go where those under way, weighted by the root of the pace, are fewest: so a slow
    worker's share moves to the others by itself.
    """

    def __init__(self, names: Sequence[str], log: EventLog) -> None:
        self._names, self._log = tuple(names), log
        self._lock = threading.Lock()
        self._under_way = [0] * len(names)
        self._pace_s = [0.0] * len(names)
        self._answers = [0] * len(names)
        self._seen = [0] * len(
            names
        )  # answers since it is up: the pace is learned from those after the first ones
        self._last = [0] * len(names)
        self._picks = 0
        self._up = [True] * len(names)
        self._told: set[int] = set()

    @property
    def answers(self) -> dict[str, int]:
        """How many requests each worker has answered."""
        with self._lock:
            return dict(zip(self._names, self._answers, strict=True))

    def pick(self) -> tuple[int, int]:
        """The worker for one more request, and how many it has under way with this one."""
        with self._lock:
            usable = [i for i, up in enumerate(self._up) if up] or list(range(len(self._names)))
            self._picks += 1
            if self._picks % RETRY_EVERY:
                chosen = min(usable, key=self._cost)
            else:
                chosen = min(usable, key=self._last.__getitem__)
            self._last[chosen] = self._picks
            self._under_way[chosen] += 1
            return chosen, self._under_way[chosen]

    def ended(self, worker: int, under_way: int, seconds: float | None) -> None:
        """A request has left a worker that was picked; ``seconds`` None where it was not answered."""
        with self._lock:
            self._under_way[worker] -= 1
            if seconds is None:
                return
            self._answers[worker] += 1
            learned_from = self._known(worker)
            self._seen[worker] += 1
            if not self._known(worker):
                return
            pace_s = seconds / under_way
            self._pace_s[worker] += (pace_s - self._pace_s[worker]) * (MEMORY if learned_from else 1.0)
            slow = self._notice(worker)
        if slow is not None:
            self._log.add("slow", self._names[worker], slow)

    def down(self, worker: int) -> bool:
        """Do without a worker for now; False where it is the last one, which is kept."""
        with self._lock:
            others = any(up for i, up in enumerate(self._up) if i != worker)
            self._up[worker] = not others
            return others

    def back(self, worker: int) -> None:
        """Use a worker again, as one of which nothing is known."""
        with self._lock:
            self._up[worker], self._pace_s[worker] = True, 0.0
            self._seen[worker] = 0
            self._told.discard(worker)

    def _known(self, worker: int) -> int:
        """From how many answers its pace was learned."""
        return max(0, self._seen[worker] - WARM_AFTER)

    def _cost(self, worker: int) -> float:
        if not self._known(worker):
            return self._under_way[worker] + 1.0
        fastest_s = min(pace for i, pace in enumerate(self._pace_s) if self._known(i))
        # The root, because a pace that was learned in a bad moment is unlearned only by requests: by the pace itself a
        # worker that was held up once would have none for long.
        return (self._under_way[worker] + 1.0) * sqrt(self._pace_s[worker] / max(fastest_s, 1e-9))

    def _notice(self, worker: int) -> str | None:
        """What to tell of a worker that has become slow, once."""
        known = [i for i, up in enumerate(self._up) if up and self._known(i) >= KNOWN_AFTER]
        if worker not in known or len(known) < 2:
            return None
        fastest = min(known, key=self._pace_s.__getitem__)
        times = self._pace_s[worker] / max(self._pace_s[fastest], 1e-9)
        if times < SLOW:
            self._told.discard(worker)
            return None
        if worker in self._told:
            return None
        self._told.add(worker)
        return f"it takes {times:.2g}x as long as {self._names[fastest]}; its share moves to the others"
