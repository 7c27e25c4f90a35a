"""Which nodes of a plan are run for several requests at once: those for which that was seen to be faster, and right."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hetero import show
from hetero.cost.difference import relative_l2
from hetero.cost.record import record
from hetero.cost.timing import summarise
from hetero.device import Executable
from hetero.errors import ArgumentError
from hetero.ops.base import Outputs
from hetero.plans import CONTROL, MicroBatch, Plan
from hetero.registry import open_device
from hetero.rewrite.batch import alone, can_batch, split, stacked
from hetero.values import specs_of

__all__ = ["require_joinable", "with_micro_batches"]

GAIN = 0.9
"""A request's share of a common call has to take at most this part of a call of its own."""
REPETITIONS = 7
PATIENCE_S = 1.0
"""Repetitions end after this, but for the first."""


def with_micro_batches(plan: Plan, batch: MicroBatch, nodes: Sequence[str] | None = None) -> Plan:
    """See ``Plan.micro_batched``."""
    if not plan.samples:
        raise ArgumentError(
            f"plan {plan.graph.name!r} has no sample to try nodes on: call micro_batched() on what ht.plan returned, "
            "and save that"
        )
    recording = record(plan.graph, plan.samples)
    first = {path: calls[0].inputs for path, calls in recording.calls.items()}
    if nodes is None:
        nodes = [
            path
            for path, calls in recording.calls.items()
            if not _obstacle(plan, path)
            and can_batch(plan.graph[path].op, specs_of(calls[0].inputs), specs_of(calls[0].outputs))
        ]
    taken, notes = {}, []
    for path in nodes:
        require_joinable(plan, path)
        trial = _tried(plan, path, first[path], batch.requests)
        notes.append(f"{path}: {trial}")
        if not trial.obstacle:
            taken[path] = batch
    if not nodes:
        notes.append(
            "no node can be run for several requests at once: none is a model with a free first axis outside "
            "of maps and branches, whose nodes run for their items"
        )
    return replace(plan, micro_batches=taken, notes=(*plan.notes, *notes), _open=type(plan._open)())


def require_joinable(plan: Plan, path: str) -> None:
    """Raise ``ArgumentError`` where a node cannot be run for several requests at once, whatever that would gain."""
    obstacle = _obstacle(plan, path)
    if obstacle:
        raise ArgumentError(f"node {path!r} cannot be run for several requests at once: {obstacle}")


def _obstacle(plan: Plan, path: str) -> str:
    names = [node.name for node in plan.graph]
    if path not in names:
        return f"the plan's own nodes are {', '.join(names)}; what is inside of a map or branch runs for its items"
    choice, op = plan.choices[path], plan.graph[path].op
    if plan.cluster is not None:
        return "its plan runs on a cluster"
    if choice.device == CONTROL:
        return f"it is a {op.kind}"
    if choice.variant.charged_dollars is not None:
        return "each of its runs is charged for, so none is tried"
    if op.effects == "once":
        return "it has effects, which would be those of all of them"
    if plan.machine.device(choice.device).memory_space != "host":
        return f"its tensors are not in host memory, but in that of {choice.device}"
    return ""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of running a node for several requests at once."""

    requests: int
    alone_s: float = 0.0
    share_s: float = 0.0
    obstacle: str = ""

    def __str__(self) -> str:
        if not self.alone_s:
            return f"not for several requests at once: {self.obstacle}"
        shared = f"{show.seconds(self.share_s)} a request for {self.requests} at once"
        outcome = f": {self.obstacle}" if self.obstacle else ""
        return f"{shared}, {show.seconds(self.alone_s)} alone{outcome}"


def _tried(plan: Plan, path: str, inputs: Sequence[Any], requests: int) -> Trial:
    op, choice = plan.graph[path].op, plan.choices[path]
    rows = {value.shape[0] if isinstance(value, np.ndarray) and value.ndim else None for value in inputs}
    if len(rows) != 1 or None in rows:
        return Trial(requests, obstacle="its inputs are not arrays of as many rows each")
    executable = open_device(plan.machine.device(choice.device)).compile(op, alone(choice.variant))
    try:
        return _compared(executable, inputs, requests, plan.request.limits.effective_error)
    except Exception as error:  # an engine or a function that does not take so many rows may raise anything
        return Trial(requests, obstacle=f"{type(error).__name__}: {error}")
    finally:
        executable.close()


def _compared(executable: Executable, inputs: Sequence[Any], requests: int, limit: float) -> Trial:
    """Each request's answer from the common call beside its own, and what both cost."""

    def run(values: Sequence[Any]) -> Outputs:
        return executable.start(values).wait()

    calls = [[_varied(value, i, requests) for value in inputs] for i in range(requests)]
    expected = [run(call) for call in calls]
    together = stacked(calls, [None] * len(inputs))
    found = split(run(together), [len(call[0]) for call in calls])
    error = max(relative_l2(tuple(own), part) for own, part in zip(expected, found, strict=True))
    alone_s, all_s = _seconds(lambda: run(calls[0])), _seconds(lambda: run(together))
    obstacle = ""
    if not error <= limit:
        obstacle = f"not taken, since answers differ by {error:.2g}"
    elif all_s / requests > GAIN * alone_s:
        obstacle = "not taken, since it does not pay"
    return Trial(requests, alone_s, all_s / requests, obstacle)


def _varied(value: np.ndarray[Any, Any], number: int, of: int) -> np.ndarray[Any, Any]:
    """The input of another request: as this one, but not equal to it, so that an answer which mixes rows shows."""
    if value.dtype.kind == "f":
        return (value * (1 - number / (2 * of))).astype(value.dtype)
    return np.roll(value, number, axis=-1)


def _seconds(work: Callable[[], object]) -> float:
    """The median of a few runs."""
    taken: list[float] = []
    end_s = time.perf_counter() + PATIENCE_S
    while not taken or (len(taken) < REPETITIONS and time.perf_counter() < end_s):
        begun_s = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun_s)
    return summarise(taken).seconds
