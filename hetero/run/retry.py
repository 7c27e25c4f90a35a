"""Whether a request that failed may be run again: the one place that decides it."""

from __future__ import annotations

from hetero.errors import WorkerError
from hetero.run.program import Program, blocks, calls

__all__ = ["ATTEMPTS", "may_retry", "worker_error"]

ATTEMPTS = 3
"""Runs of one request before its error is the caller's: two deaths may be bad luck, a poisonous input always kills."""


def worker_error(error: BaseException | None) -> WorkerError | None:
    """The death of a process among the causes of an error, if that is what it was."""
    while error is not None:
        if isinstance(error, WorkerError):
            return error
        error = error.__cause__
    return None


def may_retry(program: Program, error: BaseException, attempt: int) -> bool:
    """True after the death of a process, unless the program has a node that must not run twice.

    ``attempt`` counts from 1. What a user's node raises is never a reason: it would raise again.
    """
    if attempt >= ATTEMPTS or worker_error(error) is None:
        return False
    return not any(call.effects == "once" for block in blocks(program) for call in calls(block))
