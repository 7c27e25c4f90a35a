"""What the samples showed of a graph, without the values: enough to price every option again.

A recording holds the values themselves and exists only while a plan is made; the evidence is small, is kept in the
profile store and in plan files, and lets a second plan of the same pipeline run nothing at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

from msgspec import Meta, convert

from hetero.cost.record import Recording
from hetero.cost.store import ProfileStore
from hetero.cost.together import batched_specs
from hetero.device import Variant
from hetero.graph import Graph
from hetero.ops.base import Op
from hetero.rewrite.batch import batch_of
from hetero.values import Specs, digest_of, spec_from_plain, spec_to_plain, specs_of

__all__ = ["Evidence", "SeenCall", "evidence_key", "evidence_of", "recall", "remember"]


_Count: TypeAlias = Annotated[int, Meta(ge=1, le=1 << 53)]
_Length: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 53)]


_ALONE = Variant()


@dataclass(frozen=True, slots=True)
class SeenCall:
    """``count`` calls of one node, over all samples, with inputs and outputs of these specs."""

    inputs: Specs
    outputs: Specs
    count: int

    @property
    def nbytes(self) -> int:
        return sum(spec.nbytes for spec in self.inputs)


@dataclass(frozen=True, slots=True)
class Evidence:
    """By path: the calls seen, each map's lengths, which side each branch took (True is ``then``), and the bytes that a
    run moves through memory.

    A path without calls is one that no sample reached.
    """

    samples: int
    calls: Mapping[str, tuple[SeenCall, ...]]
    lengths: Mapping[str, tuple[int, ...]]
    taken: Mapping[str, tuple[bool, ...]]
    moved: Mapping[str, float] = field(default_factory=dict)
    batches: Mapping[str, Mapping[int, tuple[SeenCall, ...]]] = field(default_factory=dict)
    """For the models of a map whose items can be run together: the calls that there would be, by the batch's size."""

    def calls_as(self, path: str, variant: Variant) -> tuple[SeenCall, ...]:
        """The calls of a node under a variant: those seen, or as many fewer as it runs together."""
        size = batch_of(variant)
        return self.batches.get(path, {}).get(size, ()) if size > 1 else self.calls.get(path, ())

    def moved_by_others(self, path: str) -> float:
        """Bytes that the other nodes move through the caches between two runs of this one."""
        return sum(nbytes for other, nbytes in self.moved.items() if other != path)

    def per_request(self, path: str, variant: Variant = _ALONE) -> float:
        """How often a node runs for one request under a variant, on average over the samples."""
        return sum(call.count for call in self.calls_as(path, variant)) / self.samples

    def output_nbytes(self, path: str, output: int) -> float:
        """Bytes of one output of a node for one request, on average over the samples."""
        calls = self.calls.get(path, ())
        return sum(call.outputs[output].nbytes * call.count for call in calls) / self.samples

    def to_dict(self) -> dict[str, Any]:
        return {
            "samples": self.samples,
            "calls": {
                path: [[_plain(c.inputs), _plain(c.outputs), c.count] for c in calls]
                for path, calls in self.calls.items()
            },
            "lengths": {path: list(lengths) for path, lengths in self.lengths.items()},
            "taken": {path: list(taken) for path, taken in self.taken.items()},
            "moved": dict(self.moved),
            "batches": {
                path: {
                    str(size): [[_plain(c.inputs), _plain(c.outputs), c.count] for c in calls]
                    for size, calls in sizes.items()
                }
                for path, sizes in self.batches.items()
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Evidence:
        """The inverse of ``to_dict``.

        Raises:
            ValueError: there is something else in it.
        """
        calls = convert(data["calls"], dict[str, _Calls])
        batches = convert(data.get("batches", {}), dict[str, dict[int, _Calls]], strict=False)
        return cls(
            samples=convert(data["samples"], _Count),
            calls={path: _seen(made) for path, made in calls.items()},
            batches={
                path: {size: _seen(made) for size, made in sizes.items()} for path, sizes in batches.items()
            },
            lengths=convert(data["lengths"], dict[str, tuple[_Length, ...]]),
            taken=convert(data["taken"], dict[str, tuple[bool, ...]]),
            moved=convert(data["moved"], dict[str, float]),
        )


_Calls: TypeAlias = list[tuple[list[Any], list[Any], _Count]]


def _seen(calls: _Calls) -> tuple[SeenCall, ...]:
    return tuple(SeenCall(_specs(i), _specs(o), count) for i, o, count in calls)


def _plain(specs: Specs) -> list[Any]:
    return [spec_to_plain(spec) for spec in specs]


def _specs(plain: Sequence[Any]) -> Specs:
    return tuple(map(spec_from_plain, plain))


def evidence_of(graph: Graph, recording: Recording) -> Evidence:
    """The evidence in a recording of this graph."""
    calls = {}
    for path, made in recording.calls.items():
        calls[path] = _counted((specs_of(call.inputs), specs_of(call.outputs)) for call in made)
    moved = {
        path: max(_moved_nbytes(node.op, call) for call in calls[path])
        for path, node in graph.walk()
        if path in calls and not node.op.subgraphs
    }
    batches = {
        path: {size: _counted(made) for size, made in sizes.items()}
        for path, sizes in batched_specs(graph, recording).items()
    }
    return Evidence(len(recording.samples), calls, recording.lengths, recording.taken, moved, batches)


def _counted(specs: Iterable[tuple[Specs, Specs]]) -> tuple[SeenCall, ...]:
    return tuple(SeenCall(i, o, count) for (i, o), count in Counter(specs).items())


def _moved_nbytes(op: Op, call: SeenCall) -> float:
    """What one run moves through memory: what the op knows of itself, else its inputs, outputs and weights."""
    work = op.work(call.inputs)
    own = call.nbytes + sum(spec.nbytes for spec in call.outputs) + op.weights_nbytes
    return float(own if work is None else max(own, work.nbytes))


def evidence_key(graph: Graph, samples: Sequence[tuple[Any, ...]]) -> str:
    """What evidence is filed under: the content of the graph and of the samples, and what may be filled up."""
    paddable = [[path, *node.op.paddable.items()] for path, node in graph.walk() if node.op.paddable]
    return digest_of("batches", graph.digest, [list(sample) for sample in samples], paddable)


def recall(store: ProfileStore, key: str) -> Evidence | None:
    """The evidence under this key, or None."""
    found = store.get_record("evidence", key)
    return None if found is None else Evidence.from_dict(found)


def remember(store: ProfileStore, key: str, evidence: Evidence) -> None:
    store.put_record("evidence", key, evidence.to_dict())
