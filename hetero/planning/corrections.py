"""Runs correct the profiles that a plan was made from: what its nodes took, filed beside what was measured of them.

Only of nodes that are called with the one shape that they were measured on: the median over calls of several shapes
says nothing of any of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from hetero.cost.correction import Correction, put_correction
from hetero.cost.measurement import ProfileKey, specs_text
from hetero.cost.store import ProfileStore
from hetero.planning.drift import SMALL_S, Observed, slowness, telling
from hetero.planning.options import CORRECTED, leaves
from hetero.plans import Plan
from hetero.rewrite.batch import alone

__all__ = ["corrections", "file_corrections"]

NEWS = 0.1
"""A median within this share of the prediction confirms it."""
LOOKS = 3
"""So many calls at least have to have been looked at for their shapes."""


def corrections(plan: Plan, stats: Mapping[str, Observed], now_s: float) -> dict[ProfileKey, Correction]:
    """What the runs of a plan correct, by the profile's key; ``now_s`` is seconds since the epoch."""
    if plan.evidence is None:
        return {}
    ops = {path: node.op for path, node in leaves(plan.graph)}
    usual = slowness(plan, stats)
    found = {}
    for path, node, predicted_s in telling(stats):
        choice = plan.choices[path]
        seen = plan.evidence.calls_as(path, choice.variant)
        option = next((one for one in plan.options.get(path, ()) if one.choice == choice), None)
        if path not in ops or option is None or option.estimate is None:
            continue
        if option.estimate.sources.get("seconds") not in ("measured", CORRECTED):
            continue
        shapes = {specs_text(call.inputs) for call in seen}
        if len(shapes) != 1 or len(node.shapes) < LOOKS or set(node.shapes) != shapes:
            continue
        processor = plan.machine.processor_of(choice.device)
        correction = Correction(
            node.p50_s, node.spread_s, node.calls, usual[processor.name], plan.graph.name, now_s
        )
        off_s = max(abs(correction.seconds - predicted_s), abs(correction.alone_s - predicted_s))
        if off_s > max(NEWS * predicted_s, SMALL_S):
            info = plan.machine.device(choice.device)
            key = ProfileKey.of(ops[path], info, processor, alone(choice.variant), seen[0].inputs)
            found[key] = correction
    return found


def file_corrections(plan: Plan, found: Mapping[ProfileKey, Correction]) -> None:
    """Put corrections where the profiles are that the plan was made from; of a plan from a file, where those are that
    planning finds."""
    if found:
        with ProfileStore(plan.profiles) as store:
            for key, correction in found.items():
                put_correction(store, key, correction)
