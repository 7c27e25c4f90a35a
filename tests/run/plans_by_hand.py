"""Plans made by hand: the runtime is tested without a planner."""

from __future__ import annotations

from collections.abc import Mapping

import hetero.limits
from hetero.cost.estimate import Estimate
from hetero.device import DeviceInfo, Variant
from hetero.graph import Graph
from hetero.machine import Machine, Processor
from hetero.ops.branch import BranchOp
from hetero.ops.map import MapOp
from hetero.planning.selection import Selection
from hetero.plans import CONTROL, Choice, Plan, Request
from hetero.schedule import problem as p
from hetero.schedule.schedule import Placement, Schedule

PYTHON = DeviceInfo("cpu/python", "python", "3", "cpu", "any", "Python", ("function",), concurrency=64)
"""The device of functions, in the caller's thread."""


def info(engine: str, **changes: object) -> DeviceInfo:
    """A device that runs functions, somewhere."""
    fields = {"processor": "cpu", "concurrency": 64} | changes
    return DeviceInfo(
        f"{fields['processor']}/{engine}",
        engine,
        "1",
        vendor="any",
        supplier="test",
        kinds=("function",),
        **fields,
    )


def machine(*devices: DeviceInfo, cores: int = 2) -> Machine:
    processors = dict.fromkeys(["cpu", *(d.processor for d in devices)])
    return Machine(
        tuple(Processor(name, cores=cores if name == "cpu" else 1) for name in processors),
        devices or (PYTHON,),
    )


def plan_of(
    graph: Graph,
    *,
    times: Mapping[str, tuple[float, float]] | None = None,
    cores: Mapping[str, int] | None = None,
    devices: Mapping[str, str] | None = None,
    lanes: Mapping[str, int] | None = None,
    on: Machine | None = None,
) -> Plan:
    """A plan of a graph: one after the other unless ``times`` (start, end) say otherwise; on ``cpu/python`` unless
    ``devices`` do, by path."""
    on = on or machine()
    choices = {}
    for path, node in graph.walk():
        if isinstance(node.op, MapOp | BranchOp):
            count = (lanes or {}).get(path, 1)
            choices[path] = Choice(CONTROL, Variant("native", threads=count, settings={"lanes": count}))
        else:
            choices[path] = Choice((devices or {}).get(path, "cpu/python"), Variant("native"))
    times = times or {node.name: (float(i), i + 1.0) for i, node in enumerate(graph)}
    tasks = []
    for node in graph:
        device = choices[node.name].device
        processor = "cpu" if device == CONTROL else on.device(device).processor
        start, end = times[node.name]
        tasks.append(p.Task(node.name, (p.Option(processor, end - start, (cores or {}).get(node.name, 1)),)))
    problem = p.Problem(
        tuple(p.Processor(processor.name, processor.cores) for processor in on.processors),
        tuple(tasks),
        tuple(p.Edge(a, b) for a, b in graph.edges),
    )
    placements = tuple(Placement(name, 0, *times[name]) for name in times)
    makespan = max(end for _, end in times.values())
    return Plan(
        graph=graph,
        machine=on,
        request=Request("latency", hetero.limits.Limits(), Selection()),
        choices=choices,
        problem=problem,
        schedule=Schedule("latency", placements, makespan, makespan, 0.0, False, "by hand"),
        estimate=Estimate(makespan),
    )
