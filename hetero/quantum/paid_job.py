"""A job on a real processor: waited for, cancelled, and its result kept, since getting it again may cost again."""

from __future__ import annotations

import time
from typing import Any

from hetero.errors import DeviceError
from hetero.quantum.journal import Entry, Journal

__all__ = ["PaidJob"]

POLL_S, POLL_MOST_S = 0.05, 10.0
"""A provider is asked after the first time, then at growing distances up to the second."""


class PaidJob:
    """``name`` finds it again in any process."""

    def __init__(self, journal: Journal, entry: Entry, job: Any) -> None:
        self._journal, self._entry, self._job = journal, entry, job

    @property
    def name(self) -> str:
        return self._entry.name

    @property
    def job_id(self) -> str | None:
        """The provider's name for it."""
        return self._entry.job_id

    @property
    def dollars(self) -> float:
        """As it was quoted."""
        return self._entry.dollars

    def status(self) -> str:
        """``sent``, ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``: as the journal or provider says."""
        if self._job is None or self._entry.state != "sent":
            return self._entry.state
        return _plain(self._job.status())

    def result(self, timeout_s: float | None = None) -> tuple[dict[str, int], ...]:
        """Counts, a dict from bit string to times seen for each circuit; from the journal where they are there.

        Raises:
            TimeoutError: not done within ``timeout_s``; the job goes on, and may be asked again, in any process.
            DeviceError: it failed or was cancelled; says how.
        """
        if self._entry.state == "sent":
            self._wait(timeout_s)
        if self._entry.counts is None:
            raise DeviceError(
                f"{self._entry.processor}: job {self.name!r} ({self.job_id}) {self._entry.state}: {self._entry.reason}"
            )
        return self._entry.counts

    def cancel(self) -> bool:
        """Ask the provider to stop it; True where it will not complete."""
        if self._entry.state != "sent" or not self._job.cancel():
            return False
        self._settle("cancelled", "it was cancelled here")
        return True

    def _wait(self, timeout_s: float | None) -> None:
        until = None if timeout_s is None else time.monotonic() + timeout_s
        pause_s = POLL_S
        while (status := _plain(self._job.status())) in ("queued", "running", "sent"):
            left_s = pause_s if until is None else until - time.monotonic()
            if left_s <= 0:
                raise TimeoutError(
                    f"{self._entry.processor}: job {self.name!r} ({self.job_id}) is {status} after {timeout_s:g} s; "
                    "it goes on"
                )
            time.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, POLL_MOST_S)
        if status != "done":
            message = getattr(self._job, "error_message", None)
            reason = message() if callable(message) else "the provider gives no reason"
            self._settle(status, str(reason))
            return
        self._journal.done(self.name, _counts(self._job.result()))
        self._entry = self._journal.entry(self.name)

    def _settle(self, state: str, reason: str) -> None:
        self._journal.failed(self.name, state, reason)
        self._entry = self._journal.entry(self.name)


_WORDS = {
    "initializing": "sent",
    "validating": "queued",
    "queued": "queued",
    "running": "running",
    "done": "done",
    "completed": "done",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "error": "failed",
    "failed": "failed",
}
"""Providers' words for states of a job, Qiskit's ``JobStatus`` among them."""


def _plain(status: Any) -> str:
    word = str(getattr(status, "name", status)).lower()
    if word not in _WORDS:
        raise DeviceError(f"unknown job status {status!r}; known: {', '.join(_WORDS)}")
    return _WORDS[word]


def _counts(result: Any) -> tuple[dict[str, int], ...]:
    """Of a result of ``backend.run`` or of a sampler, which is a pub result a circuit."""
    if callable(getattr(result, "get_counts", None)):
        found = result.get_counts()
        return tuple(
            {str(k): int(n) for k, n in one.items()}
            for one in (found if isinstance(found, list) else [found])
        )
    return tuple(dict(one.join_data().get_counts()) for one in result)
