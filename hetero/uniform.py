"""The plan that a person makes by habit: every model on one engine, with all cores and the engine's own precision.

It runs like any other plan, so that what a measured plan gains can be seen. Its answers may be off: nothing is gated.
"""

from __future__ import annotations

from dataclasses import replace

from hetero.device import DeviceInfo, Precision
from hetero.errors import ArgumentError, InfeasibleError
from hetero.limits import Limits
from hetero.planning.contention import Contention
from hetero.planning.control import Setting
from hetero.planning.settle import settle
from hetero.plans import Considered, Plan, Request

__all__ = ["habitual_precision", "uniform"]

MODELS = ("onnx", "torch")
SOLVING_S = 1.0


def habitual_precision(device: DeviceInfo) -> Precision:
    """What the engine computes in when nobody says anything: fp32, except that OpenVINO takes bf16 by itself wherever
    the CPU has instructions for it (its documentation calls this the performance mode)."""
    return "bf16" if device.engine == "openvino" and "bf16" in device.precisions else "fp32"


def uniform(plan: Plan, engine: str) -> Plan:
    """The same pipeline with every model on ``engine`` that it offers; all else as in ``plan``.

    Maps run one item after the other, since each item has all cores; this is what a loop does.

    Raises:
        InfeasibleError: the engine runs none of the pipeline's models on this machine.
        ArgumentError: the plan has no evidence to be priced from (it was not made from samples).
    """
    if plan.evidence is None:
        raise ArgumentError(f"plan of {plan.graph.name!r} has no evidence: make it with ht.plan on a sample")
    devices = [device for device in plan.machine.devices if device.engine == engine]
    options: dict[str, tuple[Considered, ...]] = {}
    moved = 0
    for path, node in plan.graph.walk():
        if node.op.subgraphs:
            continue
        mine = [one for device in devices for one in plan.options[path] if _is_habit(one, device)]
        if mine and node.op.kind in MODELS:
            options[path] = (replace(mine[0], reason=""),)
            moved += 1
        else:
            options[path] = tuple(one for one in plan.options[path] if one.choice == plan.choices[path])
    if not moved:
        raise InfeasibleError(f"{engine!r} runs no model of {plan.graph.name!r} here")
    request = Request(plan.objective, Limits(error=float("inf")), plan.request.selection)
    # Nothing overlaps in such a plan, so nothing slows down what runs beside it.
    setting = Setting(
        options, plan.evidence, Contention({}), lambda estimate: (estimate.seconds, estimate.joules)
    )
    found = settle(plan.graph, plan.machine, request, setting, None, SOLVING_S)
    return replace(found, samples=plan.samples)


def _is_habit(one: Considered, device: DeviceInfo) -> bool:
    variant = one.choice.variant
    return (
        one.choice.device == device.name
        and one.estimate is not None
        and variant.threads == device.max_threads
        and variant.precision == habitual_precision(device)
    )
