"""Many requests at once: what a plan gives a second, from its nodes.

In steady state every core may be busy with some request. The time between results is then at least

- the core-seconds of a request over the cores, each as slow as cores are that are all busy;
- for each node what its executable takes when as many requests are inside as fit: an engine may serve one call at a
  time, or want more memory bandwidth than there is. Measured: each node beside itself (``hetero.cost.beside``);
- the seconds of all that holds the interpreter lock, the program's own work for a request among them.

The largest of them is the prediction. The scheduler sees the second one too: an option that gains nothing from cores
beside it counts as if it held them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from hetero.graph import Graph, Node
from hetero.machine import Machine
from hetero.planning.control import Setting
from hetero.planning.options import leaves
from hetero.plans import Choice, Considered
from hetero.schedule.problem import Option, Problem

__all__ = ["Flow", "flows", "in_flow", "period_s", "side_by_side", "times_in_flow"]

REQUEST_S = 6e-5
"""The program's own time for a request in flight: accepted, handed to a thread, its result handed back."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What one node takes of a processor for a request. ``speed`` is its speed beside as many copies of itself as fit,
    relative to one alone; ``locked`` says that it holds the interpreter lock."""

    processor: str
    seconds: float
    threads: int
    speed: float
    locked: bool


def side_by_side(threads: int, cores: int) -> int:
    """How many runs of so many threads fit on a processor."""
    return max(1, cores // max(1, threads))


def flows(graph: Graph, machine: Machine, choices: Mapping[str, Choice], setting: Setting) -> Iterator[Flow]:
    """Those of every node that a device runs."""
    for path, node in leaves(graph):
        choice = choices[path]
        option = _chosen(setting, path, choice)
        if option is not None and option.estimate is not None and path in setting.evidence.calls:
            processor = machine.processor_of(choice.device)
            yield Flow(
                processor.name,
                option.estimate.seconds,
                min(choice.variant.threads, processor.cores),
                _speed(path, node, choice, processor.cores, setting),
                setting.holds_lock(node, choice.device),
            )


def period_s(found: Iterable[Flow], machine: Machine, setting: Setting) -> float:
    """Seconds between results."""
    found = list(found)
    work: dict[str, float] = {}
    alone = 0.0
    for flow in found:
        cores = machine.processor(flow.processor).cores
        work[flow.processor] = work.get(flow.processor, 0.0) + flow.seconds * flow.threads
        alone = max(alone, flow.seconds / (side_by_side(flow.threads, cores) * flow.speed))
    shared = max(
        (
            seconds / (cores * setting.contention.speed(cores))
            for name, seconds in work.items()
            if (cores := machine.processor(name).cores)
        ),
        default=0.0,
    )
    return max(shared, alone, sum(flow.seconds for flow in found if flow.locked)) + REQUEST_S


def in_flow(
    problem: Problem, meaning: Mapping[str, tuple[Mapping[str, Choice], ...]], graph: Graph, setting: Setting
) -> Problem:
    """The problem whose options take as long as they hold back other requests: longer by what their nodes lose beside
    themselves."""
    nodes = dict(leaves(graph))
    cores = {p.name: p.cores for p in problem.processors}

    def in_company(option: Option, inside: Mapping[str, Choice]) -> Option:
        times = times_in_flow(option.cores, cores[option.processor], inside, nodes, setting)
        return replace(option, seconds=option.seconds * times)

    tasks = (
        replace(task, options=tuple(map(in_company, task.options, meaning[task.name])))
        for task in problem.tasks
    )
    return replace(problem, tasks=tuple(tasks))


def times_in_flow(
    held: int, cores: int, inside: Mapping[str, Choice], nodes: Mapping[str, Node], setting: Setting
) -> float:
    """How many times its seconds an option counts that holds so many of a processor's cores: the mean over its nodes of
    what they lose beside themselves, by their seconds; what holds all cores has no company."""
    if held >= cores:
        return 1.0
    total = lost = 0.0
    for path, choice in inside.items():
        known = _chosen(setting, path, choice) if path in nodes else None
        if known is not None and known.estimate is not None:
            total += known.estimate.seconds
            lost += known.estimate.seconds / _speed(path, nodes[path], choice, cores, setting)
    return lost / total if total else 1.0


def _chosen(setting: Setting, path: str, choice: Choice) -> Considered | None:
    return next((option for option in setting.options.get(path, ()) if option.choice == choice), None)


def _speed(path: str, node: Node, choice: Choice, cores: int, setting: Setting) -> float:
    copies = side_by_side(choice.variant.threads, cores)
    if copies == 1 or setting.holds_lock(node, choice.device):  # the lock is counted by itself
        return 1.0
    return setting.speed(path, choice, copies)
