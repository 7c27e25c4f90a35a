"""Do the outputs of what was chosen equal the reference's, within the error limit? Asked before a plan leaves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Protocol, TypeAlias

from hetero.cost.accuracy import Culprit, PipelineError, pipeline_error
from hetero.cost.contender import execute, host_run
from hetero.cost.metrics import RELATIVE, Metric
from hetero.cost.record import Recording
from hetero.cost.store import ProfileStore
from hetero.device import Device, DeviceInfo
from hetero.graph import Graph
from hetero.machine import Machine
from hetero.ops.base import Run
from hetero.planning.options import BY_REFERENCE
from hetero.plans import CONTROL, Choice
from hetero.registry import open_device
from hetero.rewrite.batch import Batching, alone, batch_of
from hetero.values import digest_of

__all__ = ["Gate", "Opener"]

Opener: TypeAlias = Callable[[DeviceInfo], Device]


class _Recorded(Protocol):
    @property
    def recording(self) -> Recording: ...


class Gate:
    """Runs what was chosen on the samples, node by node, and compares the final outputs; each choice once ever.

    The answer is kept in the store under the samples, the choices and the devices' fingerprints.
    """

    def __init__(
        self,
        graph: Graph,
        machine: Machine,
        samples: _Recorded,
        key: str,
        store: ProfileStore,
        opener: Opener = open_device,
        metric: Metric = RELATIVE,
    ) -> None:
        self._graph, self._machine, self._samples = graph, machine, samples
        self._key, self._store = key, store
        self._opener, self._metric = opener, metric
        self._ops = {path: node.op for path, node in graph.walk()}

    def check(self, choices: Mapping[str, Choice]) -> PipelineError:
        """The error of the final outputs over the samples, and the nodes that it comes from."""
        leaves = {path: choice for path, choice in choices.items() if choice.device != CONTROL}
        described = sorted(self._describe(path, choice) for path, choice in leaves.items())
        key = digest_of(self._key, described, *([] if self._metric.of_nodes else [self._metric.digest]))
        kept = self._store.get_record("pipeline error", key)
        if kept is not None:
            culprits = (
                Culprit(path, _number(error), _number(given)) for path, error, given in kept["culprits"]
            )
            return PipelineError(_number(kept["error"]), tuple(culprits))
        with ExitStack() as opened:
            runs: dict[str, Run | None] = {}

            def run_of(path: str, choice: Choice) -> Run | None:
                what = self._what(path, choice)
                if what not in runs:
                    runs[what] = self._open(path, choice, opened)
                return runs[what]

            batchings = {
                path: Batching.of(self._ops[path], size)
                for path, choice in leaves.items()
                if (size := batch_of(choice.variant)) > 1
            }
            found = pipeline_error(
                self._graph, leaves, self._samples.recording, run_of, batchings, self._metric
            )
        self._store.put_record(
            "pipeline error",
            key,
            {
                "error": _plain(found.error),
                "culprits": [[c.path, _plain(c.error), _plain(c.inputs_error)] for c in found.culprits],
            },
        )
        return found

    def _open(self, path: str, choice: Choice, opened: ExitStack) -> Run | None:
        info = self._machine.device(choice.device)
        if info.engine in BY_REFERENCE or choice.variant.charged_dollars is not None:
            return None  # what is charged for is not run to be compared: its declared error counts
        device = self._opener(info)
        return host_run(device, opened.enter_context(execute(device, self._ops[path], alone(choice.variant))))

    def _what(self, path: str, choice: Choice) -> str:
        return f"{self._ops[path].digest} {choice.device} {alone(choice.variant)}"

    def _describe(self, path: str, choice: Choice) -> tuple[str, str, str, str]:
        info = self._machine.device(choice.device)
        fingerprint = info.fingerprint(self._machine.processor(info.processor))
        return (path, choice.device, str(choice.variant), fingerprint)


def _plain(value: float) -> float | str:
    return "inf" if math.isinf(value) else value


def _number(value: float | str) -> float:
    return float(value)
