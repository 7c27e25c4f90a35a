"""The parts of a program on their way to the nodes: each model goes to a node once, and only where it is used."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hetero.machine import Machine
from hetero.run.legs import Leg
from hetero.run.program import Build

__all__ = ["Parcel", "Store", "unpack"]


@dataclass(frozen=True, slots=True)
class Parcel:
    """What an actor is opened with: its legs without their ops, and where those are in Ray's object store."""

    legs: bytes
    ops: Mapping[int, Any]


class Store:
    """Puts the ops of a program, which hold the models, into Ray's object store, once each.

    Ray copies an object to a node when the first actor there asks for it; every further one, also one that replaces it,
    finds it in the node's memory.
    """

    def __init__(self, builds: Sequence[Build]) -> None:
        self._builds = builds
        self._refs: dict[int, Any] = {}

    def parcel(self, legs: Mapping[int, Leg], machine: Machine) -> Parcel:
        import cloudpickle  # ops hold functions of scripts and notebooks

        used = {call.executable for leg in legs.values() for call in leg.calls()}
        elsewhere: Any = None  # an op of another site, which nobody here asks for
        light = {
            number: replace(
                leg,
                program=replace(leg.program, builds=tuple(replace(b, op=elsewhere) for b in self._builds)),
            )
            for number, leg in legs.items()
        }
        return Parcel(
            bytes(cloudpickle.dumps((light, machine))), {number: self._ref(number) for number in sorted(used)}
        )

    def _ref(self, number: int) -> Any:
        import cloudpickle
        import ray

        if number not in self._refs:
            self._refs[number] = ray.put(cloudpickle.dumps(self._builds[number].op))
        return self._refs[number]


def unpack(parcel: Parcel) -> tuple[dict[int, Leg], Machine]:
    """The legs with their ops, on the node that runs them."""
    import ray

    legs: dict[int, Leg]
    legs, machine = pickle.loads(parcel.legs)  # from our own driver
    found = dict(zip(parcel.ops, map(pickle.loads, ray.get(list(parcel.ops.values()))), strict=True))
    builds = next(iter(legs.values())).program.builds
    whole = tuple(replace(b, op=found[i]) if i in found else b for i, b in enumerate(builds))
    return {n: replace(leg, program=replace(leg.program, builds=whole)) for n, leg in legs.items()}, machine
