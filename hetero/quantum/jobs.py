"""The handle of a run of a primitive: status, progress, result, cancel."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from typing import Generic, NamedTuple, Protocol, TypeVar

from qiskit.primitives import BasePrimitiveJob, PrimitiveResult, PubResult
from qiskit.providers import JobStatus

from hetero.quantum.queue import Turn, run_turns
from hetero.quantum.threads import begin

__all__ = ["Job", "Progress"]

PubT = TypeVar("PubT")
PubIn = TypeVar("PubIn", contravariant=True)


class Progress(NamedTuple):
    """``done`` of ``total`` pubs have their result."""

    done: int
    total: int


class RunPub(Protocol[PubIn]):
    """Runs one pub in a lane on so many cores; calls ``go_on`` where it can stop."""

    def __call__(
        self, index: int, pub: PubIn, go_on: Callable[[], None], lane: int = 0, cores: int | None = None
    ) -> PubResult: ...


class Job(BasePrimitiveJob[PrimitiveResult[PubResult], JobStatus], Generic[PubT]):  # type: ignore[misc]  # qiskit ships no types
    """Runs the pubs in a thread, begun when the job is made: one after the other, or side by side as ``arrange`` says.

    ``arrange`` gives the turns of a queue and how many cores it has; no turns, or no ``arrange``: one after the other.

    Raises (from ``result``):
        CancelledError: it was cancelled before it ended.
        HeteroError: what the run raised.
    """

    def __init__(
        self,
        pubs: Sequence[PubT],
        run_pub: RunPub[PubT],
        arrange: Callable[[], tuple[Sequence[Turn], int]] | None = None,
    ) -> None:
        super().__init__(str(uuid.uuid4()))
        self._pubs, self._run_pub, self._arrange = pubs, run_pub, arrange
        self._counting = threading.Lock()
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
            turns, cores = self._arrange() if self._arrange else ((), 1)
            results: list[PubResult] = [None] * len(self._pubs)

            def turn(index: int, lane: int = 0, threads: int | None = None) -> None:
                self._go_on()
                results[index] = self._run_pub(index, self._pubs[index], self._go_on, lane, threads)
                with self._counting:
                    self._done += 1

            if turns:
                run_turns(turns, cores, lambda one, lane: turn(one.index, lane, one.cores))
            else:
                for index in range(len(self._pubs)):
                    turn(index)
            self._future.set_result(PrimitiveResult(results, metadata={"version": 2}))
        except BaseException as error:  # it belongs to whoever asks for the result
            self._future.set_exception(error)

    def _go_on(self) -> None:
        if self._cancel.is_set():
            raise CancelledError(f"job {self.job_id()} was cancelled")
