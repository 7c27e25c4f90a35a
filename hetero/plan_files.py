"""Plans as files: JSON, no code, no pickle. The pipeline is given again when a plan is read, and has to be the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hetero.cost.estimate import Estimate
from hetero.cost.store import ProfileStore
from hetero.device import Variant
from hetero.errors import HeteroError, PlanMismatchError
from hetero.files import write_atomically
from hetero.graph import Graph
from hetero.limits import Limits
from hetero.machine import Machine
from hetero.planning.evidence import Evidence
from hetero.planning.selection import Selection
from hetero.plans import CONTROL, Choice, Considered, Plan, Request
from hetero.schedule.problem import Problem
from hetero.schedule.schedule import Placement, Schedule

__all__ = ["read_plan", "save_plan"]

VERSION = 1


def save_plan(plan: Plan, path: str | Path) -> None:
    """Write the plan; the old file stays intact if that fails."""
    write_atomically(path, json.dumps(_plain(plan), indent=1, allow_nan=True).encode())


def read_plan(path: str | Path, graph: Graph, *, replan: bool = False) -> Plan:
    """The plan in a file, for this graph on this machine.

    Raises:
        PlanMismatchError: the file is no plan, or its pipeline or its machine differs; names the difference.
    """
    try:
        text = Path(path).read_text("utf-8")
    except OSError as error:
        raise PlanMismatchError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        data = json.loads(text)
    except ValueError as error:
        raise PlanMismatchError(f"{path} is not a plan file: {error}") from error
    if not isinstance(data, dict) or data.get("format") != "hetero plan":
        raise PlanMismatchError(f"{path} is not a plan file")
    if data.get("version") != VERSION:
        raise PlanMismatchError(
            f"{path} has version {data.get('version')!r}; this hetero reads version {VERSION}"
        )
    try:
        _same_graph(data["graph"], graph)
        found = _plan(data, graph)
    except PlanMismatchError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, HeteroError) as error:
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
        "notes": list(plan.notes),
    }


def _choice(choice: Choice) -> list[Any]:
    return [choice.device, choice.variant.to_dict()]


def _choice_of(plain: Any) -> Choice:
    device, variant = plain
    return Choice(str(device), Variant.from_dict(variant))


def _estimate_of(plain: Mapping[str, Any] | None) -> Estimate | None:
    return None if plain is None else Estimate.from_dict(plain)


def _plan(data: Mapping[str, Any], graph: Graph) -> Plan:
    asked = data["request"]
    schedule = dict(data["schedule"])
    tasks = tuple(Placement(str(n), int(o), float(s), float(e)) for n, o, s, e in schedule.pop("tasks"))
    plan = Plan(
        graph=graph,
        machine=Machine.from_dict(data["machine"]),
        request=Request(
            asked["objective"],
            Limits(**asked["limits"]),
            Selection(asked["allow"] and tuple(asked["allow"]), tuple(asked["deny"])),
        ),
        choices={path: _choice_of(choice) for path, choice in data["choices"].items()},
        problem=Problem.from_dict(data["problem"]),
        schedule=Schedule(tasks=tasks, **schedule),
        estimate=Estimate.from_dict(data["estimate"]),
        options={
            path: tuple(Considered(_choice_of(c), _estimate_of(e), str(r)) for c, e, r in options)
            for path, options in data["options"].items()
        },
        evidence=None if data["evidence"] is None else Evidence.from_dict(data["evidence"]),
        notes=tuple(map(str, data["notes"])),
    )
    _require_complete(plan)
    return plan


def _require_complete(plan: Plan) -> None:
    """A file may say anything: every node needs a choice of a device that exists, and a place in the schedule."""
    for path, node in plan.graph.walk():
        choice = plan.choices[path]
        if (choice.device == CONTROL) != bool(node.op.subgraphs):
            raise PlanMismatchError(f"node {path!r} cannot run on {choice.device!r}")
        if choice.device != CONTROL:
            plan.machine.device(choice.device)
    from hetero.schedule.verify import verify

    verify(plan.problem, plan.schedule)
    placed = {task.name for task in plan.schedule.tasks}
    if placed != {node.name for node in plan.graph}:
        raise PlanMismatchError(
            f"its schedule is of {', '.join(sorted(placed))}, not of this pipeline's nodes"
        )


def _same_graph(saved: Mapping[str, Any], graph: Graph) -> None:
    if saved["digest"] == graph.digest:
        return
    then = {path: (kind, digest) for path, kind, digest in saved["nodes"]}
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
    from dataclasses import replace

    from hetero.registry import detect_machine

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
