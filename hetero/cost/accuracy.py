"""The error of a whole pipeline under a choice of executables, and which node it comes from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from hetero.cost.difference import plainly_differ, relative_l2
from hetero.cost.interpret import interpret
from hetero.cost.metrics import RELATIVE, Metric
from hetero.cost.record import Call, Recording, References, failed, run_reference
from hetero.errors import DeviceError
from hetero.graph import Graph, Node
from hetero.ops.base import Outputs, Run
from hetero.rewrite.batch import Batching, run_batched

__all__ = ["Culprit", "PipelineError", "pipeline_error", "relative_l2"]

_C = TypeVar("_C")
_AMPLIFICATION = 10.0
ExecutableFor: TypeAlias = Callable[[str, _C], Run | None]
"""Path and choice to a plain function of host values (``host_run``); None where the choice is the
reference."""


@dataclass(frozen=True, slots=True)
class Culprit:
    """A node whose outputs differ from the recorded ones, and by how much its inputs did at that call."""

    path: str
    error: float
    inputs_error: float


@dataclass(frozen=True, slots=True)
class PipelineError:
    """The error of the final outputs over the samples, and who is to blame, the first suspect first.

    Suspects are all nodes that do not run by the reference and whose outputs differ from the recorded ones.
    They are in the order of the error of their own, which is what exceeds ten times that of their inputs: a
    sound node may amplify what it is given, a square doubles it. Of equals (two that change a text, say) the
    one that ran first comes first.
    """

    error: float
    culprits: tuple[Culprit, ...]


def pipeline_error(
    graph: Graph,
    choices: Mapping[str, _C],
    recording: Recording,
    executable_for: ExecutableFor[_C],
    batchings: Mapping[str, Batching] = MappingProxyType({}),
    metric: Metric = RELATIVE,
) -> PipelineError:
    """Run the graph on the recorded samples, node by node, as chosen, and compare the final outputs by the metric.

    A node that runs by the reference on inputs that are exactly recorded ones is not run again: its recorded
    outputs are used. Nodes without a choice run by the reference. Those with a batching get a map's items in batches.

    Raises:
        NodeError: a node raised; it names the node by its path, and what was raised is its cause.
        DeviceError: an engine failed.
    """
    replay = _Replay(choices, recording, executable_for)
    nodes = dict(graph.walk())
    together = {path: partial(replay.together, path, nodes[path], how) for path, how in batchings.items()}
    errors = [
        metric.difference(
            recording.outputs[number],
            interpret(graph, sample, replay.begin(number), together=together),
        )
        for number, sample in enumerate(recording.samples)
    ]
    return PipelineError(metric.over(errors), replay.culprits())


class _Replay:
    def __init__(
        self, choices: Mapping[str, _C], recording: Recording, executable_for: Callable[[str, _C], Run | None]
    ) -> None:
        chosen = {path: executable_for(path, choice) for path, choice in choices.items()}
        self._runs = {path: run for path, run in chosen.items() if run is not None}
        self._recorded = recording.calls
        self._references = References()
        self._sample = 0
        self._position: dict[str, int] = {}
        self._worst: dict[str, Culprit] = {}

    def begin(self, sample: int) -> Callable[[str, Node, tuple[Any, ...]], Outputs | None]:
        self._sample, self._position = sample, {}
        return self._run

    def culprits(self) -> tuple[Culprit, ...]:
        # The dict is in the order of first runs, and sorting keeps the order of equals.
        return tuple(sorted((c for c in self._worst.values() if c.error > 0), key=lambda c: -_own(c)))

    def _run(self, path: str, node: Node, inputs: tuple[Any, ...]) -> Outputs | None:
        if node.op.subgraphs:
            return None
        chosen = self._runs.get(path)
        peer = self._peer(path)
        if chosen is None:
            recorded = self._same_inputs(path, inputs, peer)
            if recorded is not None:
                return recorded.outputs
            return run_reference(self._references, path, node, inputs)
        with _naming(path, node):
            outputs = tuple(chosen(*inputs))
        self._compare(path, peer, inputs, outputs)
        return outputs

    def together(
        self, path: str, node: Node, batching: Batching, items: Sequence[tuple[Any, ...]]
    ) -> Sequence[Outputs]:
        """The outputs of a map's items as a batched node gives them."""
        with _naming(path, node):
            found = run_batched(self._runs[path], items, batching)
        for inputs, outputs in zip(items, found, strict=True):
            self._compare(path, self._peer(path), inputs, outputs)
        return found

    def _compare(self, path: str, peer: Call | None, inputs: tuple[Any, ...], outputs: Outputs) -> None:
        if peer is not None:
            self._suspect(path, relative_l2(peer.inputs, inputs), relative_l2(peer.outputs, outputs))

    def _peer(self, path: str) -> Call | None:
        """The recorded call that stands where this one does: as many calls of the path after the sample's
        first."""
        calls = [call for call in self._recorded.get(path, ()) if call.sample == self._sample]
        position = self._position.get(path, 0)
        self._position[path] = position + 1
        return calls[position] if position < len(calls) else None

    def _same_inputs(self, path: str, inputs: tuple[Any, ...], peer: Call | None) -> Call | None:
        """A recorded call on these inputs, equal in all but chance: counts that may be another draw of the same
        distribution are the same, or else no sampling engine but the reference could ever pass.

        The peer is it, unless something changed before: then a map may have an item more or less, and others have
        moved.
        """
        if (
            peer is not None
            and not plainly_differ(peer.inputs, inputs)
            and relative_l2(peer.inputs, inputs) == 0
        ):
            return peer
        others = (c for c in self._recorded.get(path, ()) if not plainly_differ(c.inputs, inputs))
        return next((c for c in others if relative_l2(c.inputs, inputs) == 0), None)

    def _suspect(self, path: str, inputs_error: float, error: float) -> None:
        new = Culprit(path, error, inputs_error)
        old = self._worst.setdefault(path, new)
        if (_own(new), new.error) > (_own(old), old.error):
            self._worst[path] = new


@contextmanager
def _naming(path: str, node: Node) -> Iterator[None]:
    """What a node raises, but for what its engine says itself, names the node."""
    try:
        yield
    except DeviceError:
        raise
    except Exception as error:  # whatever the node's code raises is the error's cause
        raise failed(path, node, error) from error


def _own(culprit: Culprit) -> float:
    """The error that is plainly the node's own; none can be told where its inputs are all wrong already."""
    if math.isinf(culprit.inputs_error):
        return 0.0
    return max(0.0, culprit.error - _AMPLIFICATION * culprit.inputs_error)
