"""The handle of a run of a primitive: status, progress, result, cancel."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from typing import Generic, NamedTuple, TypeVar

from qiskit.primitives import BasePrimitiveJob, PrimitiveResult, PubResult
from qiskit.providers import JobStatus

from hetero.quantum.threads import begin

__all__ = ["Job", "Progress"]

PubT = TypeVar("PubT")


class Progress(NamedTuple):
    """``done`` of ``total`` pubs have their result."""

    done: int
    total: int


class Job(BasePrimitiveJob[PrimitiveResult[PubResult], JobStatus], Generic[PubT]):  # type: ignore[misc]  # qiskit ships no types
    """Runs the pubs one after the other in a thread, begun when the job is made.

    Raises (from ``result``):
        CancelledError: it was cancelled before it ended.
        HeteroError: what the run raised.
    """

    def __init__(
        self, pubs: Sequence[PubT], run_pub: Callable[[int, PubT, Callable[[], None]], PubResult]
    ) -> None:
        super().__init__(str(uuid.uuid4()))
        self._pubs, self._run_pub = pubs, run_pub
        self._done = 0
        self._cancel = threading.Event()
        self._future: Future[PrimitiveResult[PubResult]] = Future()
        self._future.set_running_or_notify_cancel()
        begin(self._run)

    def result(self, timeout: float | None = None) -> PrimitiveResult[PubResult]:
        """Wait for the result, at most so many seconds.

        Raises:
            TimeoutError: it is not there by then; the job goes on.
        """
        return self._future.result(timeout)

    def progress(self) -> Progress:
        """How many pubs are done; never waits."""
        return Progress(self._done, len(self._pubs))

    def status(self) -> JobStatus:
        if not self._future.done():
            return JobStatus.RUNNING
        error = self._future.exception()
        if error is None:
            return JobStatus.DONE
        return JobStatus.CANCELLED if isinstance(error, CancelledError) else JobStatus.ERROR

    def cancel(self) -> bool:
        """Ask it to stop: what is running ends, nothing more is begun. True where it had not ended yet."""
        self._cancel.set()
        return not self._future.done()

    def done(self) -> bool:
        return self.status() is JobStatus.DONE

    def running(self) -> bool:
        return self.status() is JobStatus.RUNNING

    def cancelled(self) -> bool:
        return self.status() is JobStatus.CANCELLED

    def in_final_state(self) -> bool:
        return self._future.done()

    def _run(self) -> None:
        try:
            results = []
            for index, pub in enumerate(self._pubs):
                self._go_on()
                results.append(self._run_pub(index, pub, self._go_on))
                self._done += 1
            self._future.set_result(PrimitiveResult(results, metadata={"version": 2}))
        except BaseException as error:  # it belongs to whoever asks for the result
            self._future.set_exception(error)

    def _go_on(self) -> None:
        if self._cancel.is_set():
            raise CancelledError(f"job {self.job_id()} was cancelled")
