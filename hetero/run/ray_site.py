"""What runs on a site of the cluster: the legs of a program, in one actor."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import ray

from hetero.containers import each_part
from hetero.device import Device, DeviceInfo
from hetero.errors import DeviceError, NodeError
from hetero.registry import open_device
from hetero.run.cores import Cores, bind_to_cores
from hetero.run.local import LocalExecutor
from hetero.run.ray_shipping import Parcel, unpack
from hetero.run.retry import runs_once
from hetero.run.sites import local_info
from hetero.run.timing import NodeStats
from hetero.run.trace import Span
from hetero.run.workshop import Workshop

__all__ = ["ASIDE", "NodeFailedError", "SiteHost", "own_copy"]

ASIDE = "aside"
"""The thread of an actor for what is answered at once, however many requests wait."""


class NodeFailedError(Exception):
    """A node's error on its way to the driver: Ray's own transport would drop its cause."""

    def __init__(self, node: str, message: str, cause: bytes, text: str) -> None:
        super().__init__(node, message, cause, text)
        self.node, self.message, self.cause, self.text = node, message, cause, text

    @classmethod
    def of(cls, error: NodeError) -> NodeFailedError:
        import cloudpickle  # a user's exception class may live in a notebook

        cause = error.__cause__ or error
        text = "".join(traceback.format_exception(cause))
        try:
            data = bytes(cloudpickle.dumps(cause))
        except (pickle.PicklingError, TypeError, AttributeError):  # it holds what cannot travel: its text can
            data = pickle.dumps(DeviceError(f"{type(cause).__name__}: {cause}"))
        return cls(error.node, error.message, data, text)

    def error(self) -> NodeError:
        """The error as the driver raises it."""
        found = NodeError(self.node, self.message)
        cause: BaseException = pickle.loads(self.cause)  # from a process of our own session
        cause.add_note(f"on the cluster:\n{self.text}")
        found.__cause__ = cause
        return found


class SiteHost:
    """The actor. It runs any number of requests at once; the lanes of its processors decide what runs when."""

    def __init__(self) -> None:
        self._legs: dict[int, LocalExecutor] = {}
        self._workshop: Workshop | None = None
        self._cores: Cores | None = None
        self._writing: set[int] = set()

    def open(self, parcel: Parcel, cores: int, straight: bool, tracing: bool) -> str:
        """Compile what the legs need, on cores of its own; why it has none, else nothing.

        Not done when the actor is made: there Ray would hide what went wrong. Bound before anything is compiled, since
        engines start their threads then.
        """
        self._cores = bind_to_cores(cores) if cores else None
        legs, machine = unpack(parcel)
        stages = [stage for leg in legs.values() for stage in leg.program.stages]
        builds = next(iter(legs.values())).program.builds
        self._workshop = Workshop(stages, builds, machine, _open_local)
        self._workshop.tracing = tracing
        self._legs = {
            number: LocalExecutor(
                leg.program if straight else replace(leg.program, straight=None),
                machine,
                workshop=self._workshop,
            )
            for number, leg in legs.items()
        }
        # What runs once for a request must not be tried on arrays that it may not write into.
        self._writing = {number for number, leg in legs.items() if runs_once(leg.program)}
        if cores and self._cores is None:
            return (
                f"{cores} cores of its own were not to be had; its threads share the computer's with others"
            )
        return ""

    def run(self, leg: int, *values: Any) -> Any:
        """One leg of one request: the values that it gives, in the form that Ray wants for their number."""
        try:
            given = self._run(leg, values)
        except NodeError as error:
            raise NodeFailedError.of(error) from None
        if len(given) == 1:
            return given[0]
        return given or None

    def _run(self, leg: int, values: Sequence[Any]) -> Any:
        """The leg on arrays as they lie in Ray's object store, read-only and without a copy; on copies from the first
        time on that a node of it wants to write into one, as it may in a local run."""
        if leg in self._writing:
            return self._legs[leg].run([own_copy(value) for value in values])
        try:
            return self._legs[leg].run(values)
        except NodeError as error:
            if not _wants_to_write(error):
                raise
            self._writing.add(leg)
            return self._legs[leg].run([own_copy(value) for value in values])

    @ray.method(concurrency_group=ASIDE)  # type: ignore[untyped-decorator,unused-ignore]
    def ready(self) -> bool:
        """Whether it lives and answers."""
        return True

    @ray.method(concurrency_group=ASIDE)  # type: ignore[untyped-decorator,unused-ignore]
    def set_tracing(self, on: bool) -> None:
        self._opened().tracing = on

    @ray.method(concurrency_group=ASIDE)  # type: ignore[untyped-decorator,unused-ignore]
    def stats(self) -> dict[str, NodeStats]:
        return self._opened().stats()

    @ray.method(concurrency_group=ASIDE)  # type: ignore[untyped-decorator,unused-ignore]
    def spans(self, take: bool = False) -> list[Span]:
        return self._opened().spans(take=take)

    @ray.method(concurrency_group=ASIDE)  # type: ignore[untyped-decorator,unused-ignore]
    def close(self) -> None:
        self._opened().close()

    def _opened(self) -> Workshop:
        assert self._workshop is not None, "the actor is opened before it is used"
        return self._workshop


def _wants_to_write(error: NodeError) -> bool:
    """Whether a node failed because it may not write into an array: NumPy, and what is compiled for it, say so."""
    return isinstance(error.__cause__, ValueError) and "read-only" in str(error.__cause__)


def own_copy(value: Any) -> Any:
    """Arrays as a local run would hand them on: those in Ray's object store are read-only and shared."""
    return each_part(_writable, value)


def _writable(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) and not value.flags.writeable else value


def _open_local(info: DeviceInfo) -> Device:
    return open_device(local_info(info))
