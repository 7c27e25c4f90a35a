"""Graph + options -> scheduling problem: tasks are the top-level nodes, transfers are the links between processors."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hetero import show
from hetero.errors import InfeasibleError
from hetero.graph import INPUT, Graph, Node, Ref, refs
from hetero.machine import Machine, Processor
from hetero.planning.control import Setting, control_options
from hetero.planning.evidence import Evidence
from hetero.planning.grid import longest_chain_s, on_grid
from hetero.plans import CONTROL, Choice, Considered
from hetero.schedule import problem as schedule
from hetero.schedule.usable import UnusableTaskError
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

    def in_its_words(self, error: InfeasibleError) -> str:
        """The message, with devices and variants where the problem has only numbers of options; and for a node that is
        too slow alone, what would be possible."""
        if not isinstance(error, UnusableTaskError) or error.task not in self.considered:
            return str(error)
        choices = [option.choice for option in self.considered[error.task]]
        limit_s = self.problem.limits.seconds
        options = next(task.options for task in self.problem.tasks if task.name == error.task)
        fastest = min(range(len(options)), key=lambda number: options[number].seconds)
        if limit_s is None or options[fastest].seconds <= limit_s:
            return error.naming(choices)
        return (
            f"node {error.task!r} alone takes {show.seconds(options[fastest].seconds)} at the fastest, on "
            f"{choices[fastest]}; no plan of these options takes less than "
            f"{show.seconds(longest_chain_s(self.problem))}"
        )


@dataclass(frozen=True, slots=True)
class Way:
    """One option of a task: its estimate, the choices at and below its path, and the processor that it counts on."""

    considered: Considered
    inside: Mapping[str, Choice]
    processor: Processor


def formulate(graph: Graph, machine: Machine, limits: schedule.Limits, setting: Setting) -> Formulated:
    """The scheduling problem of a graph whose leaves have these options.

    Raises:
        InfeasibleError: no single computer can run everything inside a map or branch.
    """
    tasks: list[schedule.Task] = []
    ways: dict[str, tuple[Way, ...]] = {}
    for node in graph:
        ways[node.name] = tuple(_ways(node, machine, setting))
        if not ways[node.name]:
            raise InfeasibleError(f"no computer has a device for every node inside {node.name!r}")
        options = tuple(_option(graph, node, machine, way, setting.evidence) for way in ways[node.name])
        tasks.append(schedule.Task(node.name, options))
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
    return Formulated(
        on_grid(problem),
        meaning={name: tuple(way.inside for way in found) for name, found in ways.items()},
        considered={name: tuple(way.considered for way in found) for name, found in ways.items()},
    )


def _ways(node: Node, machine: Machine, setting: Setting) -> Iterator[Way]:
    if not node.op.subgraphs:
        for one in setting.options[node.name]:
            if one.usable:
                yield Way(one, {node.name: one.choice}, machine.processor_of(one.choice.device))
        return
    # A map or branch runs on one computer. It counts on that one's CPU, which runs the program around its nodes: a
    # node inside that runs on an accelerator waits in a host thread meanwhile.
    for host in machine.processors:
        if host.kind == "cpu":
            near = replace(setting, options=_near(host, machine, setting.options))
            for one, inside in control_options(node.name, node, host.cores, near):
                yield Way(one, inside, host)


def _near(
    host: Processor, machine: Machine, options: Mapping[str, tuple[Considered, ...]]
) -> dict[str, tuple[Considered, ...]]:
    """The options on devices of the host's own computer."""
    names = {d.name for d in machine.devices if machine.processor(d.processor).node == host.node}
    return {path: tuple(o for o in found if o.choice.device in names) for path, found in options.items()}


def _option(graph: Graph, node: Node, machine: Machine, way: Way, evidence: Evidence) -> schedule.Option:
    choice, estimate, processor = way.considered.choice, way.considered.estimate, way.processor
    assert estimate is not None, "only usable options are formulated"
    shared = choice.device != CONTROL
    return schedule.Option(
        processor=processor.name,
        seconds=estimate.seconds + _border_seconds(graph, node, machine, processor, evidence),
        cores=min(choice.variant.threads, processor.cores),
        memory_bytes=estimate.memory_bytes,
        joules=estimate.joules,
        dollars=estimate.dollars,
        error=estimate.error,
        resident=digest_of(node.op.digest, choice.device, choice.variant.precision) if shared else None,
    )


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
