"""Where a thread waits for one answer of another."""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["Latch"]


class Latch:
    """Where a caller waits for one answer. A bare lock: a ``Condition`` costs several times as much."""

    __slots__ = ("_lock", "error", "result")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self.result: Any = None
        self.error: BaseException | None = None

    def set(self, result: Any, error: BaseException | None) -> None:
        self.result, self.error = result, error
        self._lock.release()

    def wait(self) -> Any:
        """The result; raises the error."""
        self._lock.acquire()
        if self.error is not None:
            try:
                raise self.error
            finally:
                self.error = None  # the error's frames refer to this latch: let both go
        return self.result
