"""Plans as files: JSON, no code, no pickle. The pipeline is given again when a plan is read, and has to be the same."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from msgspec import convert

from hetero.cost.estimate import Estimate
from hetero.cost.metrics import METRICS, Metric
from hetero.cost.store import ProfileStore
from hetero.device import Variant
from hetero.errors import HeteroError, MissingFileError, PlanMismatchError
from hetero.files import write_atomically
from hetero.graph import Graph
from hetero.limits import Limits
from hetero.machine import Machine
from hetero.ops.map import MapOp
from hetero.planning.evidence import Evidence
from hetero.planning.micro_batches import require_joinable
from hetero.planning.options import leaves
from hetero.planning.selection import Selection
from hetero.plans import CONTROL, Choice, Considered, MicroBatch, Plan, Request, Speeds
from hetero.registry import detect_machine
from hetero.rewrite.circuits import with_small_circuits
from hetero.rewrite.merge import with_models_merged
from hetero.schedule.problem import Problem
from hetero.schedule.rules import LARGEST
from hetero.schedule.schedule import Objective, Placement, Schedule
from hetero.schedule.verify import verify

__all__ = ["LARGEST_NBYTES", "read_plan", "save_plan"]

VERSION = 1
LARGEST_NBYTES = 256 << 20
"""A plan of 10,000 nodes with all that was considered has a tenth of it."""


def save_plan(plan: Plan, path: str | Path) -> None:
    """Write the plan; the old file stays intact if that fails."""
    write_atomically(path, json.dumps(_plain(plan), indent=1, allow_nan=True).encode())


def read_plan(path: str | Path, graph: Graph, *, replan: bool = False) -> Plan:
    """The plan in a file, for this graph on this machine.

    Raises:
        MissingFileError: there is no such file.
        PlanMismatchError: the file is no plan, or its pipeline or its machine differs; names the difference.
    """
    try:
        if Path(path).stat().st_size > LARGEST_NBYTES:
            raise PlanMismatchError(f"{path} is not a plan file: it is larger than {LARGEST_NBYTES >> 20} MB")
        data = json.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError as error:
        raise MissingFileError(f"there is no plan file {path}; plan.save(path) writes one") from error
    except OSError as error:
        raise PlanMismatchError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise PlanMismatchError(f"{path} is not a plan file: {error}") from error
    if not isinstance(data, dict) or data.get("format") != "hetero plan":
        raise PlanMismatchError(f"{path} is not a plan file")
    if data.get("version") != VERSION:
        raise PlanMismatchError(
            f"{path} has version {data.get('version')!r}; this hetero reads version {VERSION}"
        )
    try:
        limits = convert(data["request"]["limits"], Limits)
        graph, _ = with_small_circuits(graph, limits.error)
        if data["graph"]["digest"] != graph.digest and (merged := with_models_merged(graph)[0]) is not graph:
            graph = merged if data["graph"]["digest"] == merged.digest else graph
        _same_graph(data["graph"], graph)
        found = _plan(data, graph)
    except PlanMismatchError:
        raise
    except (HeteroError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise PlanMismatchError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    differences = _differences(found)
    if not differences:
        return found
    if not replan:
        raise PlanMismatchError(
            f"{path} was made on another machine: {'; '.join(differences)}; plan again with ht.plan, or load it with "
            "replan=True"
        )
    return _replanned(found)


def _plain(plan: Plan) -> dict[str, Any]:
    return {
        "format": "hetero plan",
        "version": VERSION,
        "graph": {
            "name": plan.graph.name,
            "digest": plan.graph.digest,
            "nodes": [[path, node.op.kind, node.op.digest] for path, node in plan.graph.walk()],
        },
        "machine": plan.machine.to_dict(),
        "request": {
            "objective": plan.request.objective,
            "limits": {name: getattr(plan.request.limits, name) for name in Limits.__slots__},
            "allow": plan.request.selection.allow,
            "deny": plan.request.selection.deny,
            "metric": plan.request.metric.name,
        },
        "choices": {path: _choice(choice) for path, choice in plan.choices.items()},
        "problem": plan.problem.to_dict(),
        "schedule": {
            "objective": plan.schedule.objective,
            "tasks": [[t.name, t.option, t.start_s, t.end_s] for t in plan.schedule.tasks],
            "makespan_s": plan.schedule.makespan_s,
            "objective_value": plan.schedule.objective_value,
            "lower_bound": plan.schedule.lower_bound,
            "proven_optimal": plan.schedule.proven_optimal,
            "method": plan.schedule.method,
        },
        "estimate": plan.estimate.to_dict(),
        "options": {
            path: [[_choice(o.choice), o.estimate and o.estimate.to_dict(), o.reason] for o in options]
            for path, options in plan.options.items()
        },
        "evidence": plan.evidence and plan.evidence.to_dict(),
        "speeds": {
            "cores": [[count, speed] for count, speed in plan.speeds.cores.items()],
            "beside": [
                [path, _choice(choice), lanes, speed]
                for (path, choice, lanes), speed in plan.speeds.beside.items()
            ],
            "pairs": [
                [path, _choice(choice), other, _choice(others), speed]
                for (path, choice, other, others), speed in plan.speeds.pairs.items()
            ],
        },
        "notes": list(plan.notes),
        "micro_batches": {path: [m.requests, m.wait_s] for path, m in plan.micro_batches.items()},
    }


def _metric(name: str) -> Metric:
    """A user's function is not in the file: nothing is compared by it again, and planning again says so."""

    def unknown(reference: Any, found: Any) -> float:
        raise PlanMismatchError(f"its error was measured by the {name}, which is not in the file: plan again")

    return METRICS.get(name) or Metric(name, unknown)


def _choice(choice: Choice) -> list[Any]:
    return [choice.device, choice.variant.to_dict()]


_SavedChoice: TypeAlias = tuple[str, Variant]
_SavedOption: TypeAlias = tuple[_SavedChoice, Estimate | None, str]


def _plan(data: Mapping[str, Any], graph: Graph) -> Plan:
    asked, schedule = data["request"], data["schedule"]
    tasks = convert(schedule["tasks"], list[tuple[str, int, float, float]])
    options = convert(data["options"], dict[str, list[_SavedOption]])
    plan = Plan(
        graph=graph,
        machine=Machine.from_dict(data["machine"]),
        request=Request(
            convert(asked["objective"], Objective),
            convert(asked["limits"], Limits),
            Selection(
                convert(asked["allow"], tuple[str, ...] | None), convert(asked["deny"], tuple[str, ...])
            ),
            _metric(convert(asked.get("metric", "relative"), str)),
        ),
        choices={
            path: Choice(*choice)
            for path, choice in convert(data["choices"], dict[str, _SavedChoice]).items()
        },
        problem=Problem.from_dict(data["problem"]),
        schedule=convert({**schedule, "tasks": [Placement(*task) for task in tasks]}, Schedule),
        estimate=convert(data["estimate"], Estimate),
        options={
            path: tuple(Considered(Choice(*choice), estimate, reason) for choice, estimate, reason in found)
            for path, found in options.items()
        },
        evidence=None if data["evidence"] is None else Evidence.from_dict(data["evidence"]),
        speeds=_speeds(data.get("speeds") or {"cores": [], "beside": []}),  # older files have none
        notes=convert(data["notes"], tuple[str, ...]),
        micro_batches={
            path: MicroBatch(*found)
            for path, found in convert(data.get("micro_batches", {}), dict[str, tuple[int, float]]).items()
        },
    )
    _require_complete(plan)
    return plan


def _speeds(data: Mapping[str, Any]) -> Speeds:
    beside = convert(data["beside"], list[tuple[str, _SavedChoice, int, float]])
    pairs = convert(data.get("pairs", []), list[tuple[str, _SavedChoice, str, _SavedChoice, float]])
    return Speeds(
        dict(convert(data["cores"], list[tuple[int, float]])),
        {(path, Choice(*choice), lanes): speed for path, choice, lanes, speed in beside},
        {(a, Choice(*mine), b, Choice(*other)): speed for a, mine, b, other, speed in pairs},
    )


def _require_complete(plan: Plan) -> None:
    """A file may say anything: every node needs a choice of a device that exists, and a place in the schedule."""
    cores = sum(processor.cores for processor in plan.machine.processors)
    for path, node in plan.graph.walk():
        choice = plan.choices[path]
        inside = bool(node.op.subgraphs)
        known = (
            choice.device == CONTROL if inside else node.op.kind in plan.machine.device(choice.device).kinds
        )
        counts = [choice.variant.threads, _lanes(choice) if isinstance(node.op, MapOp) else 1]
        if not known or not all(1 <= count <= cores for count in counts):
            raise PlanMismatchError(f"node {path!r} cannot run on {choice.device!r} {choice.variant}")
    for path in plan.micro_batches:
        require_joinable(plan, path)
    if plan.options and (missing := [path for path, _ in leaves(plan.graph) if path not in plan.options]):
        raise PlanMismatchError(f"it has no options of {', '.join(missing)}")
    if plan.evidence is not None:
        _require_of_graph(plan.evidence, plan.graph)
    for path, options in plan.options.items():
        if not all(map(_possible, options)):
            raise PlanMismatchError(f"an option of node {path!r} has an estimate that no measurement gives")
    verify(plan.problem, plan.schedule)
    if plan.schedule.objective != plan.request.objective:
        raise PlanMismatchError(
            f"its schedule is for {plan.schedule.objective}, not for {plan.request.objective}"
        )
    placed = {task.name for task in plan.schedule.tasks}
    if placed != {node.name for node in plan.graph}:
        raise PlanMismatchError(
            f"its schedule is of {', '.join(sorted(placed))}, not of this pipeline's nodes"
        )


def _require_of_graph(evidence: Evidence, graph: Graph) -> None:
    """Calls as the graph's nodes are called: planning again takes outputs out of them by number."""
    if evidence.samples < 1:
        raise PlanMismatchError(f"it was planned on {evidence.samples} samples")
    ops = {path: node.op for path, node in graph.walk()}
    seen = [*evidence.calls.items()]
    seen += [(path, calls) for path, sizes in evidence.batches.items() for calls in sizes.values()]
    for path, calls in seen:
        for call in calls:
            given, taken = len(call.outputs), len(call.inputs)
            if call.count < 0 or (taken, given) != (len(ops[path].inputs), len(ops[path].outputs)):
                raise PlanMismatchError(f"node {path!r} is no function of {taken} values that gives {given}")
            if any(spec.nbytes > LARGEST for spec in (*call.inputs, *call.outputs)):
                raise PlanMismatchError(f"a value of node {path!r} is larger than any memory")


def _possible(option: Considered) -> bool:
    """Numbers that a problem may be made of; an error without an end only where it is why the option is not taken."""
    estimate = option.estimate
    if estimate is None:
        return True
    numbers = (estimate.seconds, estimate.joules, estimate.dollars, estimate.memory_bytes)
    ruled_out = estimate.error == math.inf and bool(option.reason)
    return all(0 <= number <= LARGEST for number in numbers) and (0 <= estimate.error <= LARGEST or ruled_out)


def _lanes(choice: Choice) -> int:
    return convert(choice.variant.settings.get("lanes", 1), int)


def _same_graph(saved: Mapping[str, Any], graph: Graph) -> None:
    if saved["digest"] == graph.digest:
        return
    nodes = convert(saved["nodes"], list[tuple[str, str, str]])
    then = {path: (kind, digest) for path, kind, digest in nodes}
    now = {path: (node.op.kind, node.op.digest) for path, node in graph.walk()}
    gone, new = [p for p in then if p not in now], [p for p in now if p not in then]
    changed = [p for p in then if p in now and then[p] != now[p]]
    parts = [
        f"{what}: {', '.join(paths)}"
        for what, paths in (
            ("nodes gone", gone),
            ("new nodes", new),
            ("nodes whose content changed", changed),
        )
        if paths
    ]
    raise PlanMismatchError(
        f"the plan is of another pipeline than {graph.name!r}: "
        f"{'; '.join(parts) or 'the same nodes are joined differently'}; plan again with ht.plan"
    )


def _differences(plan: Plan) -> list[str]:
    """What is different here for what the plan uses; devices that it does not use do not matter."""
    used = {choice.device for choice in plan.choices.values()} - {CONTROL}
    devices = tuple(d for d in plan.machine.devices if d.name in used)
    names = {d.processor for d in devices}
    saved = replace(
        plan.machine, devices=devices, processors=tuple(p for p in plan.machine.processors if p.name in names)
    )
    return saved.differences(detect_machine(teaching=True))


def _replanned(plan: Plan) -> Plan:
    """The same request solved for this machine from the evidence in the file: nothing is measured."""
    from hetero.planner import usable_machine
    from hetero.planning.decide import decide

    machine = usable_machine(None, plan.request.selection)
    with ProfileStore() as store:
        return decide(plan.graph, machine, plan.request, (), store, evidence=plan.evidence)
