"""What a site's actor asks Ray for: cores, GPUs, custom resources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hetero.machine import Machine, Processor
from hetero.run.legs import Leg
from hetero.run.program import Lane
from hetero.run.sites import local_name

__all__ = ["QUANTUM", "Needs", "is_circuit", "most_offered", "needs_of"]

QUANTUM = "quantum"
"""The custom resource of nodes that are there for circuits: where any node offers it, they run on such ones only."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What Ray must keep free for an actor."""

    cpus: float = 0
    gpus: float = 0
    resources: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        named = {"CPU": self.cpus, "GPU": self.gpus, **self.resources}
        return ", ".join(f"{value:g} {name}" for name, value in named.items())

    @property
    def bundle(self) -> dict[str, float]:
        """The same as a bundle of a placement group, which may not name what it needs nothing of."""
        named = {"CPU": self.cpus, "GPU": self.gpus, **self.resources}
        return {name: float(value) for name, value in named.items() if value}


def needs_of(legs: Sequence[Leg], machine: Machine, offered: Mapping[str, float]) -> Needs:
    """What the legs of one site hold: the cores of its CPU at most, its GPUs, and every custom resource of the node
    that is called like a processor that they use or like its kind; with a circuit among them, its ``quantum`` too.

    ``offered`` are the resources of the node, as Ray counts them.
    """
    widths: dict[Lane, int] = {}
    for stage in (stage for leg in legs for stage in leg.program.stages):
        widths[stage.lane] = max(widths.get(stage.lane, 0), stage.cores)
    held: dict[str, int] = {}
    for lane, cores in widths.items():
        held[lane.processor] = held.get(lane.processor, 0) + cores
    for call in (call for leg in legs for call in leg.calls()):
        # Inside a map the processor of a node is no lane of its own.
        held.setdefault(machine.device(legs[0].program.builds[call.executable].device).processor, 0)
    cpus, gpus = 0, 0
    resources: dict[str, float] = {}
    for name, cores in held.items():
        processor: Processor = machine.processor(name)
        if processor.kind == "cpu":
            cpus += min(cores, processor.cores)
        elif processor.kind == "gpu" and offered.get("GPU"):
            gpus += 1
        resources |= {word: 1.0 for word in (local_name(name), processor.kind) if word in offered}
    if QUANTUM in offered and _has_circuit(legs):
        resources[QUANTUM] = 1.0
    return Needs(cpus, gpus, resources)


def is_circuit(kind: str) -> bool:
    """Whether ops of this kind are circuits: plain ones, noisy ones, gradients, overlaps.

    >>> [kind for kind in ("function", "circuit", "noisy circuit", "circuit gradient") if is_circuit(kind)]
    ['circuit', 'noisy circuit', 'circuit gradient']
    """
    return "circuit" in kind.split()


def _has_circuit(legs: Sequence[Leg]) -> bool:
    builds = legs[0].program.builds
    return any(is_circuit(builds[call.executable].op.kind) for leg in legs for call in leg.calls())


def most_offered(
    nodes: Iterable[Mapping[str, float]], legs: Sequence[Leg], machine: Machine
) -> Mapping[str, float]:
    """The resources of the node that has most of what the legs could ask for."""
    found = [
        (len(needs_of(legs, machine, offered).resources) + offered.get("GPU", 0), offered)
        for offered in nodes
    ]
    best: Mapping[str, float] = max(found, key=lambda pair: pair[0], default=(0, {}))[1]
    return best
