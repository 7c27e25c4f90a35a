"""Whether a request that failed may be run again: the one place that decides it."""

from __future__ import annotations

from hetero.errors import DeviceError, NodeError, UnavailableError, WorkerError
from hetero.run.program import Program, blocks, calls

__all__ = ["ATTEMPTS", "blame", "device_failure", "device_of", "may_retry", "runs_once"]

ATTEMPTS = 5
"""Runs of one request before its error is the caller's. A poisonous input always kills; of 2.7 million requests during
which a process was killed every two seconds, three were hit three times."""


def device_failure(error: BaseException | None) -> DeviceError | None:
    """What a device did to a request: its process died or it failed. None where the error is the node's own."""
    while error is not None:
        if isinstance(error, WorkerError) or (
            isinstance(error, DeviceError) and not isinstance(error, UnavailableError)
        ):
            return error
        error = error.__cause__
    return None


def device_of(program: Program, error: BaseException) -> str | None:
    """The device that an error comes from, where it names a node."""
    if not isinstance(error, NodeError):
        return None
    return next((build.device for build in program.builds if error.node in build.paths), None)


def blame(error: BaseException) -> float:
    """How much of a run a failure counts as: a process that dies while it starts has not even seen the request.

    Such deaths count for little rather than for nothing, so that a process which always dies so is given up too.
    """
    failure = device_failure(error)
    return 0.25 if isinstance(failure, WorkerError) and failure.starting else 1.0


def runs_once(program: Program) -> bool:
    """Whether a node of the program must not run twice for a request."""
    return any(call.effects == "once" for block in blocks(program) for call in calls(block))


def may_retry(program: Program, error: BaseException, blamed: float) -> bool:
    """True after a failure of a device, unless the program has a node that must not run twice.

    ``blamed`` is the blame of all failures of the request so far. What a user's node raises is never a reason: it would
    raise again.
    """
    return blamed < ATTEMPTS and device_failure(error) is not None and not runs_once(program)
