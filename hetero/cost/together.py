"""The calls that a map's models would get if its items ran in batches, from those that they got one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from hetero.cost.record import Call, Recording
from hetero.graph import Graph, Node
from hetero.ops.map import MapOp
from hetero.rewrite.batch import Batching, batches, can_batch, sizes_for, stacked, stacked_specs
from hetero.values import Specs, TensorSpec, specs_of

__all__ = ["batched_calls", "batched_specs"]


def batched_specs(
    graph: Graph, recording: Recording
) -> Mapping[str, Mapping[int, list[tuple[Specs, Specs]]]]:
    """By path and size, the specs of the inputs and outputs of each batch; only of models that can be batched."""
    found: dict[str, dict[int, list[tuple[Specs, Specs]]]] = {}
    for outer, path, node in _inside_maps(graph):
        runs = _runs(recording, outer, path)
        sizes = sizes_for(max(map(len, runs), default=0))
        specs = [[(specs_of(call.inputs), specs_of(call.outputs)) for call in run] for run in runs]
        if not sizes or not all(can_batch(node.op, i, o) for run in specs for i, o in run):
            continue
        found[path] = {}
        for size in sizes:
            batching = Batching.of(node.op, size)
            own = [together for run in specs if run for together in _together(run, batching)]
            if None in own:  # items that would share a batch have outputs of different shapes
                del found[path]
                break
            pairs = [pair for pair in own if pair is not None]
            if (
                pairs not in found[path].values()
            ):  # a larger size that makes the same batches is no other choice
                found[path][size] = pairs
    return found


def batched_calls(graph: Graph, recording: Recording, path: str, size: int) -> tuple[Call, ...]:
    """The calls themselves: inputs and the reference's outputs under each other."""
    outer, _, node = next(one for one in _inside_maps(graph) if one[1] == path)
    batching = Batching.of(node.op, size)
    found = []
    for run in _runs(recording, outer, path):
        shapes = [[value.shape for value in call.inputs] for call in run]
        for batch in batches(shapes, batching):
            own = [run[number] for number in batch]
            inputs = stacked([call.inputs for call in own], batching.axes)
            outputs = tuple(map(np.concatenate, zip(*(call.outputs for call in own), strict=True)))
            found.append(Call(inputs, outputs, own[0].sample))
    return tuple(found)


def _inside_maps(graph: Graph, prefix: str = "") -> Iterator[tuple[str, str, Node]]:
    """Path of the map, path and node of each node right inside a map that fails with its first failing item.

    One whose items fail each for itself is left alone: in a batch they would fail together.
    """
    for path, node in graph.walk(prefix):
        if isinstance(node.op, MapOp) and node.op.errors == "raise":
            for inner in node.op.item:
                if not inner.op.subgraphs:
                    yield path, f"{path}/{inner.name}", inner


def _runs(recording: Recording, outer: str, path: str) -> list[tuple[Call, ...]]:
    """A node's calls, cut into those of each run of its map."""
    calls = recording.calls.get(path, ())
    ends = [0, *np.cumsum(recording.lengths.get(outer, ())).tolist()]
    return [calls[a:b] for a, b in pairwise(ends)]


def _together(run: Sequence[tuple[Specs, Specs]], batching: Batching) -> Iterator[tuple[Specs, Specs] | None]:
    """The specs of each batch; None for one whose outputs differ in shape, so that it cannot be taken apart."""
    shapes = [[spec.shape for spec in inputs if isinstance(spec, TensorSpec)] for inputs, _ in run]
    for batch in batches(shapes, batching):
        inputs, outputs = zip(*(run[number] for number in batch), strict=True)
        if any(len({_row(spec) for spec in column}) > 1 for column in zip(*outputs, strict=True)):
            yield None
        else:
            whole = stacked_specs(outputs, Batching(batching.size, (None,) * len(outputs[0])))
            yield stacked_specs(inputs, batching), whole


def _row(spec: object) -> object:
    return (spec.dtype, spec.shape[1:]) if isinstance(spec, TensorSpec) else spec
