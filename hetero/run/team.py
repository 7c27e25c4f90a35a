"""A team of threads that helps its caller, who never depends on the help.

Not ``ThreadPoolExecutor``: its threads are joined when the interpreter ends, so that one hung engine would keep the
process alive for ever, and a pool that is full of callers waiting for the pool stands still. Here the caller works
too, so nested maps end whatever the team's size.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any

__all__ = ["Team"]


class Team:
    """At most ``size`` daemon threads, one more started whenever there is a job and none waits for one."""

    def __init__(self, name: str, size: int) -> None:
        self._name, self._size = name, size
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        """Threads that wait for a job; more than there are once all have been started, where it decides nothing."""
        self._lock = threading.Lock()

    def map(
        self, function: Callable[..., Any], items: Sequence[Any], rest: Sequence[Any], lanes: int
    ) -> list[Any]:
        """``[function(item, *rest) for item in items]`` over ``lanes`` threads, the caller's among them.

        Raises what the first failing item raised, in the order of the items that were started.
        """
        lanes = min(lanes, len(items))
        if lanes < 2 or not self._size:
            return [function(item, *rest) for item in items]
        round_ = _Round(function, items, rest)
        for _ in range(lanes - 1):
            self._put(round_.help)
        return round_.finish()

    def close(self) -> None:
        """Let the threads end; they end by themselves, nobody waits for a hung one."""
        with self._lock:
            for _ in self._threads:
                self._jobs.put(None)
            self._threads = []
            self._size = 0

    def _put(self, job: Callable[[], None]) -> None:
        with self._lock:
            if self._idle:
                self._idle -= 1
            elif len(self._threads) < self._size:
                name = f"{self._name} {len(self._threads)}"
                thread = threading.Thread(target=self._loop, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
        self._jobs.put(job)

    def _loop(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # a waiting thread must not keep the last round's values alive
            with self._lock:
                self._idle += 1


class _Round:
    """One map: who comes takes the next item. A helper that comes late finds nothing left and goes."""

    def __init__(self, function: Callable[..., Any], items: Sequence[Any], rest: Sequence[Any]) -> None:
        self._function, self._items, self._rest = function, items, rest
        self._next: Iterator[int] = iter(range(len(items)))  # next() on it is atomic under the GIL
        self._results: list[Any] = [None] * len(items)
        self._errors: dict[int, BaseException] = {}
        self._helpers = 0
        self._changed = threading.Condition()

    def help(self) -> None:
        with self._changed:
            self._helpers += 1
        try:
            self._work()
        finally:
            with self._changed:
                self._helpers -= 1
                self._changed.notify()

    def finish(self) -> list[Any]:
        self._work()
        # Items that helpers took may still be running; helpers that have not begun will find no item.
        with self._changed:
            while self._helpers:
                self._changed.wait()
        if self._errors:
            error = self._errors[min(self._errors)]
            self._errors.clear()  # else the error and this frame would keep each other alive
            raise error
        return self._results

    def _work(self) -> None:
        for i in self._next:
            try:
                self._results[i] = self._function(self._items[i], *self._rest)
            except BaseException as error:  # any thread may fail: the caller raises it
                self._errors[i] = error
                for _ in self._next:  # nobody starts another item
                    pass
