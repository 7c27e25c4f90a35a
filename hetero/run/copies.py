"""Copies that are made by a thread of their own while others compute."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from time import perf_counter
from typing import Any

from hetero.run.dispatch import Dispatcher, Job

__all__ = ["Arriving", "Copier"]


class Arriving:
    """A value on its way into another memory space. Any number of nodes may wait for it."""

    __slots__ = ("_future", "_job")

    def __init__(self, job: Job, future: Future[Any]) -> None:
        self._job, self._future = job, future

    def value(self) -> Any:
        """The copy; whoever waits for one that has not been begun makes it. Raises what copying raised."""
        self._job.run_here()
        return self._future.result()


class Copier:
    """The thread of one direction between two memory spaces: its copies are made one after the other, as on a link."""

    def __init__(self, name: str) -> None:
        self._dispatcher = Dispatcher(name, cores=1, threads=1)

    def begin(
        self, copy: Callable[[Any], Any], note: Callable[[tuple[float, float]], None], value: Any
    ) -> Arriving:
        """Begin to copy a value; ``note`` is told when the copy was made: ``(start, end)``."""
        future: Future[Any] = Future()
        return Arriving(self._dispatcher.put(partial(_copied, copy, note, value, future), 1), future)

    def close(self, timeout_s: float) -> None:
        self._dispatcher.close(timeout_s)


def _copied(
    copy: Callable[[Any], Any], note: Callable[[tuple[float, float]], None], value: Any, future: Future[Any]
) -> None:
    begun_s = perf_counter()
    try:
        result = copy(value)
    except BaseException as error:  # it is the error of who waits for the value, not of this thread
        future.set_exception(error)
        return
    note((begun_s, perf_counter()))
    future.set_result(result)
