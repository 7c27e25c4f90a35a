"""Graphs, options and evidence made by hand, for the planner's steps one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hetero as ht
from hetero.cost.estimate import Estimate
from hetero.device import DeviceInfo, Variant
from hetero.graph import Graph
from hetero.machine import Machine, Processor
from hetero.ops.function import FunctionOp
from hetero.planning.contention import Contention
from hetero.planning.control import Setting
from hetero.planning.evidence import Evidence, SeenCall
from hetero.plans import Choice, Considered
from hetero.tracing import Callee
from hetero.values import TensorSpec

TENSOR = TensorSpec("float32", (250,))
"""1,000 bytes."""


class FreeOp(FunctionOp):
    """A function that an engine would run without the interpreter lock."""

    kind = "onnx"


first = Callee(FreeOp(lambda x: x, name="first"))
second = Callee(FreeOp(lambda y: y, name="second"))
GRAPH_OF_TWO = ht.pipeline(lambda x: second(first(x))).trace()


@ht.node
def python(x: Any) -> Any:
    """A function, which holds the interpreter lock while it runs."""
    return x


def info(name: str, **changes: Any) -> DeviceInfo:
    processor, engine = name.split("/")
    fields: dict[str, Any] = {
        "vendor": "Maker",
        "supplier": "Supplier",
        "kinds": ("function",),
        "concurrency": 64,
    }
    return DeviceInfo(name, engine, "1", processor, **(fields | changes))


def machine(*names: str, cores: int = 2, links: Any = ()) -> Machine:
    """Devices by name on processors by name; each processor but the CPU has a memory of its own."""
    processors = dict.fromkeys(["cpu", *(name.split("/")[0] for name in names)])
    return Machine(
        tuple(
            Processor(p, cores=cores) if p == "cpu" else Processor(p, memory_space=p, memory_bytes=10**6)
            for p in processors
        ),
        tuple(
            info(name, memory_space="host" if name.startswith("cpu/") else name.split("/")[0])
            for name in names
        ),
        tuple(links),
    )


def option(device: str, seconds: float, *, threads: int = 1, reason: str = "", **estimate: Any) -> Considered:
    """One usable option, or one with the reason why not."""
    made = Estimate(seconds, spread={"seconds": 0.0}, sources={"seconds": "measured"}, **estimate)
    return Considered(Choice(device, Variant("native", threads)), made, reason)


def evidence(
    graph: Graph, *, unreached: tuple[str, ...] = (), lengths: Mapping[str, tuple[int, ...]] | None = None
) -> Evidence:
    """One call of every node on one sample, of 1,000 bytes in and out."""
    calls = {
        path: (SeenCall((TENSOR,) * len(node.op.inputs), (TENSOR,) * len(node.op.outputs), 1),)
        for path, node in graph.walk()
        if path not in unreached
    }
    return Evidence(1, calls, lengths or {}, {})


def setting(graph: Graph, options: Mapping[str, tuple[Considered, ...]], **changes: Any) -> Setting:
    fields: dict[str, Any] = {
        "options": options,
        "evidence": evidence(graph),
        "contention": Contention({}),
        "better": lambda estimate: (estimate.seconds, estimate.joules),
    }
    return Setting(**(fields | changes))
