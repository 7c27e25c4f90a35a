"""hetero: plans and runs inference pipelines of several models on mixed hardware.

    import hetero as ht

    plan = ht.plan(pipeline, sample)      # measured, solved, with a proven bound
    print(plan.explain())                 # what runs where, and why
    plan(sample)

Importing this package loads NumPy and the standard library only. Everything below is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hetero.arguments import args as args
    from hetero.arguments import auto as auto
    from hetero.cascades import cascade as cascade
    from hetero.errors import HeteroError as HeteroError
    from hetero.graph import Graph as Graph
    from hetero.limits import Limits as Limits
    from hetero.machine import Machine as Machine
    from hetero.planner import frontier as frontier
    from hetero.planner import load_plan as load_plan
    from hetero.planner import plan as plan
    from hetero.plans import Plan as Plan
    from hetero.registry import devices as devices
    from hetero.tracing import branch as branch
    from hetero.tracing import from_onnx as from_onnx
    from hetero.tracing import from_qiskit as from_qiskit
    from hetero.tracing import from_torch as from_torch
    from hetero.tracing import map as map
    from hetero.tracing import node as node
    from hetero.tracing import pipeline as pipeline

__version__ = "0.1.0"

_FACE = {
    "Graph": "hetero.graph",
    "HeteroError": "hetero.errors",
    "Limits": "hetero.limits",
    "Machine": "hetero.machine",
    "Plan": "hetero.plans",
    "args": "hetero.arguments",
    "auto": "hetero.arguments",
    "branch": "hetero.tracing",
    "cascade": "hetero.cascades",
    "devices": "hetero.registry",
    "from_onnx": "hetero.tracing",
    "from_qiskit": "hetero.tracing",
    "from_torch": "hetero.tracing",
    "frontier": "hetero.planner",
    "load_plan": "hetero.planner",
    "map": "hetero.tracing",
    "node": "hetero.tracing",
    "pipeline": "hetero.tracing",
    "plan": "hetero.planner",
}
"""The public face: each name and the room it is in."""

__all__ = [*sorted(_FACE), "__version__"]


def __getattr__(name: str) -> Any:
    # No module may be called like a name of the face (`plan`, `map`): importing it would replace the function.
    room = _FACE.get(name)
    if room is None:
        raise AttributeError(f"module 'hetero' has no attribute {name!r}; it has: {', '.join(sorted(_FACE))}")
    value = getattr(importlib.import_module(room), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_FACE})
