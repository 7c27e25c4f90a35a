"""Measure candidates on the nodes of a Ray cluster where their devices are.

A device whose fingerprint is known in the store is not measured again, whichever node it is on: so of many equal nodes
one is measured.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hetero.cost.contender import Candidate as Contestant
from hetero.cost.profile import Profiler
from hetero.cost.race import DEFAULT_EFFORT, Effort
from hetero.cost.record import Call
from hetero.cost.store import ProfileStore, Row
from hetero.cost.worth import Skipped
from hetero.device import DeviceInfo, Variant
from hetero.errors import DeviceError
from hetero.machine import Processor
from hetero.ops.base import Op
from hetero.planning.measure import Samples, measure_here
from hetero.planning.options import Candidate
from hetero.run.sites import local_info, site_of

__all__ = ["measure_there"]

_Work = tuple[str, DeviceInfo, Processor, Op, Variant, tuple[Call, ...]]


def measure_there(
    candidates: Sequence[Candidate],
    samples: Samples,
    store: ProfileStore,
    /,
    *,
    effort: Effort = DEFAULT_EFFORT,
    error_limit: float = math.inf,
) -> Mapping[Candidate, DeviceError | Skipped]:
    """Measure each candidate at its own site: those of the driver's here, those of other nodes there, once for each
    kind of device.

    Raises:
        RayError: a node was lost while it measured.
    """
    failed: dict[Candidate, DeviceError | Skipped] = {}
    how = {"effort": effort, "error_limit": error_limit}
    here = [c for c in candidates if not site_of(c.info.name)]
    failed.update(measure_here(here, samples, store, effort=effort, error_limit=error_limit))
    known = {(c.path, c.info.fingerprint(c.processor), c.variant): c for c in here}
    nodes: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        like = (candidate.path, candidate.info.fingerprint(candidate.processor), candidate.variant)
        if like not in known:
            known[like] = candidate
            nodes.setdefault(candidate.processor.node, []).append(candidate)
    for node, found in nodes.items():
        failed.update(_on_node(node, found, samples, store, how))
    for candidate in candidates:  # what failed on one of two equal devices fails on the other
        like = (candidate.path, candidate.info.fingerprint(candidate.processor), candidate.variant)
        if known[like] in failed:
            failed[candidate] = failed[known[like]]
    return failed


def _on_node(
    node: str,
    candidates: Sequence[Candidate],
    samples: Samples,
    store: ProfileStore,
    how: Mapping[str, Any],
) -> dict[Candidate, DeviceError | Skipped]:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    work: list[_Work] = [
        (c.path, local_info(c.info), c.processor, c.op, c.built, samples.calls_as(c)) for c in candidates
    ]
    where = NodeAffinitySchedulingStrategy(node, soft=False)
    gpus = float(any(c.processor.kind == "gpu" for c in candidates))  # Ray hides those that are not asked for
    remote: Any = ray.remote(_profile).options(num_cpus=0, num_gpus=gpus, scheduling_strategy=where)
    rows, reasons = ray.get(remote.remote(work, how))
    for row in rows:
        store.put(row.key, row.measurement, row.about)
    return {candidates[i]: reason for i, reason in reasons.items()}


def _profile(
    work: Sequence[_Work], how: Mapping[str, Any]
) -> tuple[list[Row], dict[int, DeviceError | Skipped]]:
    """What a node runs: it measures into a store of its own and sends the rows back."""
    from hetero.registry import open_device

    contestants = [
        Contestant(path, open_device(info), processor, op, variant, calls)
        for path, info, processor, op, variant, calls in work
    ]
    with tempfile.TemporaryDirectory() as folder, ProfileStore(Path(folder) / "profiles.sqlite") as store:
        results = Profiler(store, **how).measure(contestants)
        reasons = {
            i: found
            for i, c in enumerate(contestants)
            if isinstance(found := results.get(c), DeviceError | Skipped)
        }
        return list(store.rows()), reasons
