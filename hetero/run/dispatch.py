"""One processor's threads, and its cores as capacity that running stages hold."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeAlias

__all__ = ["Dispatcher", "Job", "Work"]

Work: TypeAlias = Callable[[], None]


class Job:
    """Work that holds cores while it runs. It is done once, by whoever takes it first."""

    __slots__ = ("_dispatcher", "_work", "cores", "held")

    def __init__(self, dispatcher: Dispatcher, work: Work, cores: int) -> None:
        self._dispatcher = dispatcher
        self._work = [work]  # pop() is atomic, and a job that was taken holds nothing any more
        self.cores = cores
        self.held = False
        """Whether it has its cores, and lacks a thread only."""

    def take(self) -> Work | None:
        try:
            return self._work.pop()
        except IndexError:
            return None

    def run_here(self) -> bool:
        """Do it in the caller's thread, where it has its cores and no thread has begun with it."""
        work = self.take() if self.held else None
        if work is None:
            return False
        try:
            work()
        finally:
            self._dispatcher.give_back(self.cores)
        return True


class Dispatcher:
    """Does work in the order in which it came, each as soon as the cores that it holds are free.

    A job that fits is handed to the thread that became idle last, whose caches are warm, by one ``SimpleQueue.put``,
    the cheapest hand-over that Python has. A thread whose job has ended takes the next one itself. No thread waits
    for capacity.
    """

    def __init__(self, name: str, cores: int, threads: int) -> None:
        self._name, self._cores, self._size = name, cores, threads
        self._free = cores
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        """For these there are no cores."""
        self._ready: deque[Job] = deque()
        """These have their cores, and no thread yet."""
        self._idle: list[SimpleQueue[Job | None]] = []
        self._threads: dict[threading.Thread, SimpleQueue[Job | None]] = {}

    def put(self, work: Work, cores: int) -> Job:
        """Have something done when ``cores`` are free; what is wider than the processor takes all of it."""
        job = Job(self, work, min(cores, self._cores))
        with self._lock:
            if not self._hold(job.cores):
                self._waiting.append(job)
                return job
            job.held = True
            thread = self._thread()
            if thread is None:
                self._ready.append(job)
                return job
        thread.put(job)
        return job

    def take(self, cores: int) -> bool:
        """Hold cores for what the caller does itself, if they are free; ``give_back`` has to follow."""
        with self._lock:
            return self._hold(min(cores, self._cores))

    def give_back(self, cores: int) -> None:
        """Free what was taken, and let those that waited for it go."""
        with self._lock:
            self._return(min(cores, self._cores))
            started = self._started()
        for thread, job in started:
            thread.put(job)

    def close(self, timeout_s: float) -> None:
        """Let the threads end. One that hangs inside an engine is left behind: it is a daemon."""
        with self._lock:
            threads, self._threads, self._size = self._threads, {}, 0
        for queue in threads.values():
            queue.put(None)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(timeout_s)

    # What follows is called under the lock.

    def _hold(self, cores: int) -> bool:
        # First come, first served: a wide job is not overtaken for ever by narrow ones.
        if cores and (self._waiting or self._free < cores):
            return False
        self._free -= cores
        return True

    def _return(self, cores: int) -> None:
        """Count cores as free, and give them to those who wait for them."""
        self._free += cores
        while self._waiting and self._waiting[0].cores <= self._free:
            job = self._waiting.popleft()
            self._free -= job.cores
            job.held = True
            self._ready.append(job)

    def _started(self) -> list[tuple[SimpleQueue[Job | None], Job]]:
        """Jobs that can be begun now, each with a thread."""
        started = []
        while self._ready and (thread := self._thread()) is not None:
            started.append((thread, self._ready.popleft()))
        return started

    def _thread(self) -> SimpleQueue[Job | None] | None:
        """A thread for a job, by the queue that it listens to; None where all are at work."""
        if self._idle:
            return self._idle.pop()
        if len(self._threads) >= self._size:
            return None
        queue: SimpleQueue[Job | None] = SimpleQueue()
        thread = threading.Thread(target=self._loop, args=(queue,), name=f"hetero {self._name}", daemon=True)
        self._threads[thread] = queue
        thread.start()
        return queue

    # What follows is done by the threads.

    def _loop(self, queue: SimpleQueue[Job | None]) -> None:
        job = queue.get()
        while job is not None:
            cores, work = job.cores, job.take()
            del job
            if work is None:  # who waits for it has taken it, and gives back its cores
                cores = 0
            else:
                work()
            del work  # a waiting thread must not keep the last request's values alive
            job = self._next(queue, cores) or queue.get()

    def _next(self, queue: SimpleQueue[Job | None], cores: int) -> Job | None:
        """What a thread goes on with whose job has ended; None where there is nothing, and it is idle from now on."""
        with self._lock:
            self._return(cores)
            own = self._ready.popleft() if self._ready else None
            if own is None:
                self._idle.append(queue)
            started = self._started()
        for thread, job in started:
            thread.put(job)
        return own
