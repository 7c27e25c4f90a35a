"""One request on a cluster: its legs are all started at once, and Ray lets each wait for the references it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetero.run.legs import Leg
from hetero.run.program import Program, Recv, Slot, evaluate
from hetero.values import nbytes_of

__all__ = ["Sender", "Sent", "when_all"]

STORE_NBYTES = 100_000
"""From this size on an input goes into the object store once; a smaller one travels in the calls that take it."""


class Sender:
    """Starts the requests of one program."""

    def __init__(self, program: Program, legs: Sequence[Leg]) -> None:
        self._program, self._legs = program, legs
        self._results = [item.slot for item in program.finish.body if isinstance(item, Recv)]

    def stored_nbytes(self, values: Sequence[Any]) -> int:
        """The bytes of those inputs that go into the object store."""
        return sum(nbytes for nbytes in map(_nbytes, values) if nbytes >= STORE_NBYTES)

    def send(self, values: Sequence[Any], actors: Mapping[str, Any]) -> Sent:
        """Start all legs, each on the actor of its site.

        Raises:
            RayError: an actor is dead, or the object store is full.
        """
        import ray

        slots: dict[Slot, Any] = {}
        for slot, value in zip(self._program.inputs, values, strict=True):
            slots[slot] = ray.put(value) if _nbytes(value) >= STORE_NBYTES else value
        silent = []
        for i, leg in enumerate(self._legs):
            run = actors[leg.site].run
            if len(leg.gives) > 1:
                run = run.options(num_returns=len(leg.gives))
            refs = run.remote(i, *(slots[slot] for slot in leg.takes))
            if leg.gives:
                slots.update(zip(leg.gives, refs if len(leg.gives) > 1 else [refs], strict=True))
            else:  # nobody takes anything from it, but its nodes are to have run
                silent.append(refs)
        coming = tuple(slot for slot in self._results if isinstance(slots[slot], ray.ObjectRef))
        return Sent(self._program, slots, coming, (*(slots[slot] for slot in coming), *silent))


@dataclass(frozen=True, slots=True)
class Sent:
    """A request whose legs are started; it is answered when the values of all ``refs`` have come."""

    program: Program
    slots: Mapping[Slot, Any]
    coming: tuple[Slot, ...]
    refs: tuple[Any, ...]

    def result(self, found: Sequence[Any]) -> Any:
        """The result of the request, of the values of the references."""
        from hetero.run.ray_site import own_copy

        # Not strict: behind the results there is what silent legs return, which is nothing.
        slots = {**self.slots, **dict(zip(self.coming, map(own_copy, found), strict=False))}
        assert self.program.finish.result is not None, "what finishes a program returns its result"
        return evaluate(self.program.finish.result, slots)


def _nbytes(value: Any) -> int:
    """An array is what most requests are made of, and a spec of it costs as much as a tenth of a call."""
    return value.nbytes if type(value) is np.ndarray else nbytes_of(value)


def when_all(futures: Sequence[Any], told: Callable[[], object]) -> None:
    """Have somebody told when all futures are done: in the caller's thread, or in that which ends the last one."""
    waiting = next((i for i, future in enumerate(futures) if not future.done()), None)
    if waiting is None:
        told()
    else:
        futures[waiting].add_done_callback(lambda _: when_all(futures[waiting + 1 :], told))
