"""Measure candidates on the recorded calls, in this process."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hetero.cost.contender import Candidate as Contestant
from hetero.cost.measurement import Measurement
from hetero.cost.profile import Profiler
from hetero.cost.progress import Progress
from hetero.cost.race import DEFAULT_EFFORT, Effort
from hetero.cost.record import Call, Recording, record
from hetero.cost.store import ProfileStore
from hetero.cost.together import batched_calls
from hetero.cost.worth import Skipped
from hetero.device import Device
from hetero.errors import DeviceError
from hetero.graph import Graph
from hetero.planning.calibrate import keep_inputs
from hetero.planning.guarded import device_for
from hetero.planning.options import Candidate
from hetero.rewrite.batch import batch_of
from hetero.values import specs_of

__all__ = ["Measure", "Samples", "measure_here"]


class Samples:
    """The samples; recorded when someone needs the values, which a second plan of the same does not."""

    def __init__(self, graph: Graph, samples: Sequence[tuple[Any, ...]], progress: Progress | None) -> None:
        self._graph, self.values, self._progress = graph, tuple(samples), progress
        self._recording: Recording | None = None
        self._batched: dict[tuple[str, int], tuple[Call, ...]] = {}

    @property
    def recording(self) -> Recording:
        if self._recording is None:
            self._recording = record(self._graph, self.values, self._progress)
        return self._recording

    def calls_as(self, candidate: Candidate) -> tuple[Call, ...]:
        """What the candidate would be called with: the recorded calls, or those of its batches."""
        size = batch_of(candidate.variant)
        if size == 1:
            return self.recording.calls[candidate.path]
        key = (candidate.path, size)
        if key not in self._batched:
            self._batched[key] = batched_calls(self._graph, self.recording, *key)
        return self._batched[key]


class Measure(Protocol):
    """Files what the store does not know of these candidates; returns who failed or was passed over, and why.

    What is off by more than ``error_limit`` is not measured further.
    """

    def __call__(
        self,
        candidates: Sequence[Candidate],
        samples: Samples,
        store: ProfileStore,
        /,
        *,
        effort: Effort = DEFAULT_EFFORT,
        error_limit: float = math.inf,
    ) -> Mapping[Candidate, DeviceError | Skipped]: ...


def measure_here(
    candidates: Sequence[Candidate],
    samples: Samples,
    store: ProfileStore,
    /,
    *,
    effort: Effort = DEFAULT_EFFORT,
    error_limit: float = math.inf,
    deadline: float | None = None,
    progress: Progress | None = None,
) -> Mapping[Candidate, DeviceError | Skipped]:
    """Measure on this machine, until the deadline (a time of ``time.perf_counter``)."""
    keep_inputs(candidates, lambda path: samples.recording.calls[path])
    contestants = {
        Contestant(c.path, _device(c, calls), c.processor, c.op, c.built, calls): c
        for c in candidates
        for calls in [samples.calls_as(c)]
    }
    profiler = Profiler(store, deadline, progress, effort=effort, error_limit=error_limit)
    results = profiler.measure(list(contestants))
    return {contestants[c]: found for c, found in results.items() if not isinstance(found, Measurement)}


def _device(candidate: Candidate, calls: Sequence[Call]) -> Device:
    """Where it is measured; the largest call is what decides whether that is safe."""
    specs = max((specs_of(call.inputs) for call in calls), key=lambda one: sum(spec.nbytes for spec in one))
    return device_for(candidate.info, candidate.op, candidate.built, specs)
