"""Graph + options -> scheduling problem: tasks are the top-level nodes, transfers are the links between processors."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hetero.graph import INPUT, Graph, Node, Ref, refs
from hetero.machine import Machine, Processor
from hetero.planning.control import Setting, control_options
from hetero.planning.evidence import Evidence
from hetero.plans import CONTROL, Choice, Considered
from hetero.schedule import problem as schedule
from hetero.values import digest_of

__all__ = ["Formulated", "formulate"]

_NO_WAIT_BYTES_PER_S = 1e15
"""Between two processors that share one memory space: nothing moves."""


@dataclass(frozen=True, slots=True)
class Formulated:
    """A problem, and for every task and option what its choice means: the choices at and below its path."""

    problem: schedule.Problem
    meaning: Mapping[str, tuple[Mapping[str, Choice], ...]]
    considered: Mapping[str, tuple[Considered, ...]]

    def choices(self, picked: Mapping[str, int]) -> dict[str, Choice]:
        """All choices, given the number of the option that each task was given."""
        return {path: c for task, option in picked.items() for path, c in self.meaning[task][option].items()}


def formulate(graph: Graph, machine: Machine, limits: schedule.Limits, setting: Setting) -> Formulated:
    """The scheduling problem of a graph whose leaves have these options."""
    tasks: list[schedule.Task] = []
    meaning: dict[str, tuple[Mapping[str, Choice], ...]] = {}
    considered: dict[str, tuple[Considered, ...]] = {}
    for node in graph:
        ways = _ways(node, machine, setting)
        options = tuple(_option(graph, node, machine, one, setting.evidence) for one, _ in ways)
        tasks.append(schedule.Task(node.name, options))
        meaning[node.name] = tuple(inside for _, inside in ways)
        considered[node.name] = tuple(one for one, _ in ways)
    used = {option.processor for task in tasks for option in task.options}
    processors = [p for p in machine.processors if p.name in used]
    problem = schedule.Problem(
        processors=tuple(
            schedule.Processor(p.name, p.cores, None if p.memory_bytes is None else float(p.memory_bytes))
            for p in processors
        ),
        tasks=tuple(tasks),
        edges=tuple(_edges(graph, setting.evidence)),
        links=tuple(_links(machine, processors)),
        limits=limits,
    )
    return Formulated(problem, meaning, considered)


def _ways(node: Node, machine: Machine, setting: Setting) -> list[tuple[Considered, Mapping[str, Choice]]]:
    if not node.op.subgraphs:
        return [(one, {node.name: one.choice}) for one in setting.options[node.name] if one.usable]
    cores = max(p.cores for p in machine.processors if p.memory_space == "host")
    return list(control_options(node.name, node, cores, setting))


def _option(
    graph: Graph,
    node: Node,
    machine: Machine,
    one: Considered,
    evidence: Evidence,
) -> schedule.Option:
    estimate = one.estimate
    assert estimate is not None, "only usable options are formulated"
    if one.choice.device == CONTROL:
        processor = _host(machine)
        resident = None
    else:
        processor = machine.processor_of(one.choice.device)
        resident = digest_of(node.op.digest, one.choice.device, one.choice.variant.precision)
    return schedule.Option(
        processor=processor.name,
        seconds=estimate.seconds + _border_seconds(graph, node, machine, processor, evidence),
        cores=min(one.choice.variant.threads, processor.cores),
        memory_bytes=estimate.memory_bytes,
        joules=estimate.joules,
        dollars=estimate.dollars,
        error=estimate.error,
        resident=resident,
    )


def _host(machine: Machine) -> Processor:
    """The processor that a map or branch counts on: the host's, which runs the program around its nodes.

    A node inside that runs on an accelerator waits in a host thread meanwhile, so the host's core is taken.
    """
    return next(p for p in machine.processors if p.memory_space == "host")


def _border_seconds(
    graph: Graph, node: Node, machine: Machine, processor: Processor, evidence: Evidence
) -> float:
    """Transfers that no edge between tasks stands for: the pipeline's inputs and outputs live in host memory."""
    space = processor.memory_space
    if space == "host":
        return 0.0
    seconds = 0.0
    inputs = evidence.calls.get(node.name, ())
    for index, arg in enumerate(node.args):
        if any(ref.node == INPUT for ref in refs(arg)) and (link := machine.link("host", space)):
            nbytes = sum(call.inputs[index].nbytes * call.count for call in inputs) / evidence.samples
            seconds += link.seconds(nbytes)
    returned = {ref.output for ref in refs(graph.output) if ref.node == node.name}
    for output in returned:
        if link := machine.link(space, "host"):
            seconds += link.seconds(evidence.output_nbytes(node.name, output))
    return seconds


def _edges(graph: Graph, evidence: Evidence) -> list[schedule.Edge]:
    """One edge for each pair of nodes, with the bytes of all the values that pass along it."""
    passed: dict[tuple[str, str], set[Ref]] = {}
    for node in graph:
        for ref in node.refs:
            if ref.node != INPUT:
                passed.setdefault((ref.node, node.name), set()).add(ref)
    return [
        schedule.Edge(source, target, sum(evidence.output_nbytes(ref.node, ref.output) for ref in found))
        for (source, target), found in passed.items()
    ]


def _links(machine: Machine, processors: Sequence[Processor]) -> list[schedule.Link]:
    found = []
    for a, b in itertools.permutations(processors, 2):
        legs = _legs(machine, a.memory_space, b.memory_space)
        if legs is not None:
            latency_s, seconds_per_byte = legs
            rate = 1 / seconds_per_byte if seconds_per_byte > 0 else _NO_WAIT_BYTES_PER_S
            found.append(schedule.Link(a.name, b.name, latency_s, rate))
    return found


def _legs(machine: Machine, source: str, target: str) -> tuple[float, float] | None:
    """Latency and seconds per byte from one memory space to another: directly, or by way of the host."""
    if source == target:
        return 0.0, 0.0
    if link := machine.link(source, target):
        return link.latency_s, 1 / link.bytes_per_s
    up, down = machine.link(source, "host"), machine.link("host", target)
    if up and down:
        return up.latency_s + down.latency_s, 1 / up.bytes_per_s + 1 / down.bytes_per_s
    return None
