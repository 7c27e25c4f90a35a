"""Many requests in flight, their results one by one: in the order of the requests, or as they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeAlias

__all__ = ["Take", "as_they_end", "in_order"]

Take: TypeAlias = Callable[[Future[Any]], Any]
"""What is given out for a future that is done: its result; its error is raised or given out."""


def in_order(requests: Iterator[Future[Any]], limit: int, take: Take) -> Iterator[Any]:
    """The results in the order of the requests, of which at most ``limit`` are started and not given out."""
    flying: deque[Future[Any]] = deque()
    try:
        for future in requests:
            flying.append(future)
            if len(flying) >= limit:
                yield take(flying.popleft())
        while flying:
            yield take(flying.popleft())
    finally:  # an error, or a consumer that has seen enough
        for future in flying:
            future.cancel()


def as_they_end(requests: Iterator[Future[Any]], limit: int, take: Take) -> Iterator[Any]:
    """The same in the order in which the requests end."""
    flying: set[Future[Any]] = set()
    ended: SimpleQueue[Future[Any]] = SimpleQueue()

    def next_result() -> Any:
        future = ended.get()
        flying.remove(future)
        return take(future)

    try:
        for future in requests:
            flying.add(future)
            future.add_done_callback(ended.put)
            if len(flying) >= limit:
                yield next_result()
        while flying:
            yield next_result()
    finally:
        for future in flying:
            future.cancel()
