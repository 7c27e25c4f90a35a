"""One processor's threads, and its cores as capacity that running stages hold."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeAlias

__all__ = ["Dispatcher", "Job"]

Job: TypeAlias = Callable[[], None]


class Dispatcher:
    """Runs jobs in the order in which they came, each as soon as the cores that it holds are free.

    A job that fits is handed to a thread by one ``SimpleQueue.put``, the cheapest hand-over that Python has; the
    accounting is done by whoever puts a job or ends one, so no thread of its own waits for capacity.
    """

    def __init__(self, name: str, cores: int, threads: int) -> None:
        self._name, self._cores, self._size = name, cores, threads
        self._free = cores
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Job, int]] = deque()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def put(self, job: Job, cores: int) -> None:
        """Run a job when ``cores`` are free; a job wider than the processor takes all of it."""
        cores = min(cores, self._cores)
        with self._lock:
            if len(self._threads) < self._size:
                self._start()
            # First come, first served: a wide job is not overtaken for ever by narrow ones.
            if cores and (self._waiting or self._free < cores):
                self._waiting.append((job, cores))
                return
            self._free -= cores
        self._queue.put(job)

    def release(self, cores: int) -> None:
        """Give back what an ended job held, and let those that waited for it go."""
        cores = min(cores, self._cores)
        if not cores:
            return
        started = []
        with self._lock:
            self._free += cores
            while self._waiting and self._waiting[0][1] <= self._free:
                job, width = self._waiting.popleft()
                self._free -= width
                started.append(job)
        for job in started:
            self._queue.put(job)

    def close(self, timeout_s: float) -> None:
        """Let the threads end. One that hangs inside an engine is left behind: it is a daemon."""
        with self._lock:
            threads, self._threads, self._size = self._threads, [], 0
        for _ in threads:
            self._queue.put(None)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(timeout_s)

    def _start(self) -> None:
        thread = threading.Thread(target=self._loop, name=f"hetero {self._name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _loop(self) -> None:
        while (job := self._queue.get()) is not None:
            job()
            del job  # a waiting thread must not keep the last request's values alive
