"""Which nodes may run beside copies of themselves, in the lanes of a map or for other requests, and how fast they are.

Asked of every option that could win that way: one that is twice as fast as another alone, but serves one call at a
time, is no better in two lanes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from hetero.cost.beside import speed_beside
from hetero.cost.measurement import specs_text
from hetero.cost.store import ProfileStore
from hetero.errors import DeviceError
from hetero.graph import Graph, Node
from hetero.machine import Machine
from hetero.ops.map import MapOp
from hetero.planning.control import Setting, shapes
from hetero.planning.deadline import is_late
from hetero.planning.measure import Samples
from hetero.planning.options import Candidate
from hetero.plans import Choice, Considered
from hetero.registry import open_device
from hetero.rewrite.batch import alone
from hetero.values import digest_of, specs_of

__all__ = ["Beside", "speeds_beside"]

Beside = Mapping[tuple[str, Choice, int], float]
"""Path, choice and lanes to the speed of each lane relative to one alone."""


def speeds_beside(
    graph: Graph,
    machine: Machine,
    setting: Setting,
    samples: Samples,
    store: ProfileStore,
    deadline: float | None,
    *,
    in_flow: bool = False,
) -> Beside:
    """The speeds of all that would run side by side; measured once, then kept in the store.

    Those are the nodes inside maps; ``in_flow``, where many requests are to run at once, all nodes.

    What is on another computer, fails, or finds no time is left out: the machine's general factor stands for it. So is
    what is slower alone than another one in its lane: nothing gains by running beside itself.
    """
    found: dict[tuple[str, Choice, int], float] = {}
    in_lane: dict[tuple[str, int], float] = {}
    for path, node, choice, lanes, alone_s in _pairs(graph, machine, setting, in_flow):
        if alone_s >= in_lane.get((path, lanes), math.inf):
            continue
        info = machine.device(choice.device)
        fingerprint = info.fingerprint(machine.processor(info.processor))
        largest = max(setting.evidence.calls_as(path, choice.variant), key=lambda call: call.nbytes)
        name = digest_of(node.op.digest, fingerprint, str(choice.variant), specs_text(largest.inputs), lanes)
        kept = store.get_record("beside", name)
        if kept is None:
            if is_late(deadline) or not samples.values or info.processor != "cpu":
                continue
            calls = samples.calls_as(
                Candidate(path, node.op, info, machine.processor(info.processor), choice.variant)
            )
            call = max(calls, key=lambda c: sum(spec.nbytes for spec in specs_of(c.inputs)))
            try:
                kept = {"speed": speed_beside(open_device(info), node.op, alone(choice.variant), call, lanes)}
            except DeviceError:  # it did run alone: what fails beside itself is not used so
                kept = {"speed": 1 / lanes}
            store.put_record("beside", name, kept)
        speed = found[path, choice, lanes] = float(kept["speed"])
        if speed > 0:
            in_lane[path, lanes] = min(in_lane.get((path, lanes), math.inf), alone_s / speed)
    return found


def _pairs(
    graph: Graph, machine: Machine, setting: Setting, in_flow: bool
) -> Iterator[tuple[str, Node, Choice, int, float]]:
    """Every leaf with the choices that it may have in so many lanes, the fastest alone first, and its seconds alone;
    Python code has the interpreter lock for that."""
    cores = max(p.cores for p in machine.processors if p.kind == "cpu")
    maps = [path for path, node in graph.walk() if isinstance(node.op, MapOp)]
    for path, node in graph.walk():
        meets_itself = in_flow or any(path.startswith(f"{outer}/") for outer in maps)
        if node.op.subgraphs or node.op.kind == "function" or not meets_itself:
            continue
        for lanes in sorted({lanes for lanes, _ in shapes(cores)} - {1}):
            for choice, seconds in _contenders(setting.options[path], cores // lanes, lanes):
                if path in setting.evidence.calls:
                    yield path, node, choice, lanes, seconds


def _contenders(options: Sequence[Considered], threads: int, lanes: int) -> list[tuple[Choice, float]]:
    """Of those that fit, the ones that would win if the fastest alone served one lane at a time."""
    fitting = {
        option.choice: option.estimate.seconds
        for option in options
        if option.usable and option.choice.variant.threads <= threads and option.estimate is not None
    }
    ranked = sorted(fitting.items(), key=lambda item: item[1])
    return [(choice, seconds) for choice, seconds in ranked if seconds < lanes * ranked[0][1]]
