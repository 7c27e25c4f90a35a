"""Which nodes inside maps may run beside copies of themselves, and how fast they are then."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from hetero.cost.beside import speed_beside
from hetero.cost.store import ProfileStore
from hetero.errors import DeviceError
from hetero.graph import Graph, Node
from hetero.machine import Machine
from hetero.ops.map import MapOp
from hetero.planning.control import Setting, shapes
from hetero.planning.measure import Samples
from hetero.planning.options import Candidate
from hetero.plans import Choice
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
    key: str,
    store: ProfileStore,
    deadline: float | None,
) -> Beside:
    """The speeds of all that the maps' options would run side by side; measured once, then kept in the store.

    What is on another computer, fails, or finds no time is left out: the machine's general factor stands for it.
    """
    found: dict[tuple[str, Choice, int], float] = {}
    for path, node, choice, lanes in _pairs(graph, machine, setting):
        info = machine.device(choice.device)
        fingerprint = info.fingerprint(machine.processor(info.processor))
        name = digest_of(key, node.op.digest, fingerprint, str(choice.variant), lanes)
        kept = store.get_record("beside", name)
        if kept is None:
            late = deadline is not None and time.perf_counter() >= deadline
            if late or not samples.values or info.processor != "cpu":
                continue
            calls = samples.calls_as(
                Candidate(path, node.op, info, machine.processor(info.processor), choice.variant)
            )
            call = max(calls, key=lambda c: sum(spec.nbytes for spec in specs_of(c.inputs)))
            try:
                speed = speed_beside(open_device(info), node.op, alone(choice.variant), call, lanes)
            except DeviceError:  # it did run alone: what fails beside itself is not used so
                speed = 1 / lanes
            kept = {"speed": speed}
            store.put_record("beside", name, kept)
        found[path, choice, lanes] = float(kept["speed"])
    return found


def _pairs(graph: Graph, machine: Machine, setting: Setting) -> Iterator[tuple[str, Node, Choice, int]]:
    """Every leaf inside a map with the choice that it would have in so many lanes."""
    cores = max(p.cores for p in machine.processors if p.kind == "cpu")
    maps = {path: node for path, node in graph.walk() if isinstance(node.op, MapOp)}
    seen = set()
    for path, node in graph.walk():
        inside = any(path.startswith(f"{outer}/") for outer in maps)
        if (
            not inside
            or node.op.subgraphs
            or node.op.kind == "function"
            or path not in setting.evidence.calls
        ):
            continue
        for lanes, threads in shapes(cores):
            best = setting.best(path, threads, lanes)
            if lanes > 1 and best is not None and (path, best.choice, lanes) not in seen:
                seen.add((path, best.choice, lanes))
                yield path, node, best.choice, lanes
