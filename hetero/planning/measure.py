"""Measure candidates on the recorded calls, in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hetero.cost.contender import Candidate as Contestant
from hetero.cost.profile import Profiler
from hetero.cost.progress import Progress
from hetero.cost.record import Call, Recording, record
from hetero.cost.store import ProfileStore
from hetero.cost.together import batched_calls
from hetero.errors import DeviceError
from hetero.graph import Graph
from hetero.planning.calibrate import keep_inputs
from hetero.planning.options import Candidate
from hetero.registry import open_device
from hetero.rewrite.batch import batch_of

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
    """Files what the store does not know of these candidates; returns who failed, and why."""

    def __call__(
        self, candidates: Sequence[Candidate], samples: Samples, store: ProfileStore, /
    ) -> Mapping[Candidate, DeviceError]: ...


def measure_here(
    candidates: Sequence[Candidate],
    samples: Samples,
    store: ProfileStore,
    /,
    *,
    deadline: float | None = None,
    progress: Progress | None = None,
) -> Mapping[Candidate, DeviceError]:
    """Measure on this machine, until the deadline (a time of ``time.perf_counter``)."""
    keep_inputs(candidates, lambda path: samples.recording.calls[path])
    contestants = {
        Contestant(c.path, open_device(c.info), c.processor, c.op, c.built, samples.calls_as(c)): c
        for c in candidates
    }
    results = Profiler(store, deadline, progress).measure(list(contestants))
    return {contestants[c]: found for c, found in results.items() if isinstance(found, DeviceError)}
