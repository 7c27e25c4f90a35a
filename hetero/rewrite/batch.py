"""Run several items of a map as one: which go together, how they are stacked, and how the answer is taken apart.

The condition: all inputs and outputs of the model have the same first axis, along which it computes row by row. Shapes
show the first half of that; the second half is measured, for every batched variant, against the reference.

Items of equal shape go together. Where the op says that an input may be filled up with zeros along one of its axes
(``Op.paddable``), items of unequal length do too, neighbours in length, each filled up to the longest of its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from hetero.device import Variant
from hetero.ops.base import Op, Outputs, Run
from hetero.values import Specs, TensorSpec

__all__ = [
    "SIZES",
    "Batching",
    "Over",
    "alone",
    "batch_of",
    "batched",
    "batches",
    "can_batch",
    "run_batched",
    "sizes_for",
    "stacked",
    "stacked_specs",
]

SIZES = (4, 16, 64)
"""How many items a batch may have; a power of four apart, since every size is measured."""

Shape: TypeAlias = tuple[int, ...]
Over: TypeAlias = Callable[[Callable[[Any], Any], Sequence[Any]], Sequence[Any]]
"""Applies a function to each of many things, on whatever threads there are."""


@dataclass(frozen=True, slots=True)
class Batching:
    """At most ``size`` items a batch; ``axes`` has for each input the axis that may be filled up, or None."""

    size: int
    axes: tuple[int | None, ...]

    @classmethod
    def of(cls, op: Op, size: int) -> Batching:
        return cls(size, tuple(op.paddable.get(name) for name in op.inputs))


def batched(variant: Variant, size: int) -> Variant:
    """The variant for so many items at once.

    >>> str(batched(Variant(threads=2), 4))
    'fp32 threads=2 batch=4'
    """
    return replace(variant, settings={**variant.settings, "batch": size})


def batch_of(variant: Variant) -> int:
    """How many items a variant takes at once; 1 where it says nothing."""
    return int(variant.settings.get("batch", 1))


def alone(variant: Variant) -> Variant:
    """What the engine builds: it is given a larger array and need not know why.

    >>> alone(batched(Variant(), 4)) == Variant()
    True
    """
    if "batch" not in variant.settings:
        return variant
    return replace(variant, settings={k: v for k, v in variant.settings.items() if k != "batch"})


def can_batch(op: Op, inputs: Specs, outputs: Specs) -> bool:
    """Whether a call's shapes allow it: arrays only, whose first sizes are equal, and not fixed by the model."""
    sizes = {
        spec.shape[0] if isinstance(spec, TensorSpec) and spec.shape else None for spec in (*inputs, *outputs)
    }
    return bool(inputs) and len(sizes) == 1 and None not in sizes and op.free_batch


def batches(shapes: Sequence[Sequence[Shape]], batching: Batching) -> tuple[tuple[int, ...], ...]:
    """The numbers of the items in each batch, the batch of the most elements first; ``shapes`` are those of each item.

    A group that does not fit into one batch is cut into batches of nearly the same number of items: on several lanes a
    small rest would leave the others waiting.

    >>> batches([[(1, 8)], [(1, 9)], [(1, 8)]], Batching(4, (None,)))
    ((0, 2), (1,))
    >>> batches([[(1, 8)], [(1, 9)], [(1, 7)]], Batching(2, (1,)))
    ((1, 0), (2,))
    """
    groups: dict[object, list[int]] = {}
    for number, item in enumerate(shapes):
        groups.setdefault(_like(item, batching) or number, []).append(number)

    def length(number: int) -> int:
        pairs = zip(shapes[number], batching.axes, strict=True)
        return max((shape[axis] for shape, axis in pairs if axis is not None), default=0)

    found: list[tuple[int, ...]] = []
    for group in groups.values():
        group.sort(key=length, reverse=True)
        count = -(-len(group) // batching.size)
        cuts = [round(part * len(group) / count) for part in range(count + 1)]
        found += [tuple(group[a:b]) for a, b in pairwise(cuts)]
    elements = [sum(int(np.prod(shape)) for number in batch for shape in shapes[number]) for batch in found]
    return tuple(found[i] for i in sorted(range(len(found)), key=lambda i: -elements[i]))


def _like(item: Sequence[Shape], batching: Batching) -> tuple[object, ...]:
    """What items must have in common to share a batch; empty for one that has no common rows and stays alone."""
    if len({shape[:1] for shape in item}) != 1 or not item[0]:
        return ()
    return tuple(
        tuple(None if axis in (0, padded) else size for axis, size in enumerate(shape))
        for shape, padded in zip(item, batching.axes, strict=True)
    )


def stacked_shape(shapes: Sequence[Shape], axis: int | None) -> Shape:
    """The shape of one input of a batch."""
    rows = sum(shape[0] for shape in shapes)
    rest = list(shapes[0][1:])
    if axis is not None:
        rest[axis - 1] = max(shape[axis] for shape in shapes)
    return (rows, *rest)


def stacked_specs(specs: Sequence[Specs], batching: Batching) -> Specs:
    """The specs of a batch's inputs, given those of its items."""
    return tuple(
        TensorSpec(column[0].dtype, stacked_shape([spec.shape for spec in column], axis))
        for column, axis in zip(_columns(specs), batching.axes, strict=True)
    )


def _columns(specs: Sequence[Specs]) -> Iterator[list[TensorSpec]]:
    for column in zip(*specs, strict=True):
        yield [spec for spec in column if isinstance(spec, TensorSpec)]


def stacked(items: Sequence[Sequence[Any]], axes: Sequence[int | None]) -> tuple[Any, ...]:
    """One array for each input: the items' under each other, filled up with zeros where they are shorter."""
    return tuple(_stack(column, axis) for column, axis in zip(zip(*items, strict=True), axes, strict=True))


def _stack(arrays: Sequence[np.ndarray[Any, Any]], axis: int | None) -> np.ndarray[Any, Any]:
    if axis is None or len({array.shape[axis] for array in arrays}) == 1:
        return np.concatenate(arrays)
    whole = np.zeros(stacked_shape([array.shape for array in arrays], axis), arrays[0].dtype)
    row = 0
    for array in arrays:
        place = [slice(None)] * array.ndim
        place[0], place[axis] = slice(row, row + array.shape[0]), slice(array.shape[axis])
        whole[tuple(place)] = array
        row += array.shape[0]
    return whole


def split(outputs: Sequence[Any], rows: Sequence[int]) -> list[Outputs]:
    """A batch's outputs as those of its items, which have so many rows each.

    Raises:
        ValueError: an output has another number of rows than the batch, so it was not computed row by row.
    """
    total = sum(rows)
    for output in outputs:
        found = getattr(output, "shape", ())
        if not found or found[0] != total:
            raise ValueError(
                f"a batch of {total} rows gave an output of shape {found}: it cannot be taken apart"
            )
    ends = np.cumsum(rows)
    return [
        tuple(output[end - n : end] for output in outputs) for n, end in zip(rows, ends.tolist(), strict=True)
    ]


def run_batched(
    run: Run,
    items: Sequence[Sequence[Any]],
    batching: Batching,
    over: Over = lambda work, jobs: list(map(work, jobs)),
) -> list[Outputs]:
    """The outputs of each item, computed in batches; ``over`` says who works through the batches (else in order).

    >>> run_batched(lambda x: (x + 1,), [[np.zeros(2)], [np.ones(1)]], Batching(8, (None,)))
    [(array([1., 1.]),), (array([2.]),)]
    """
    results: list[Outputs] = [()] * len(items)

    def work(batch: tuple[int, ...]) -> None:
        own = [items[number] for number in batch]
        if len(own) == 1:
            results[batch[0]] = tuple(run(*own[0]))
            return
        outputs = run(*stacked(own, batching.axes))
        for number, outcome in zip(batch, split(outputs, [item[0].shape[0] for item in own]), strict=True):
            results[number] = outcome

    over(work, batches([[array.shape for array in item] for item in items], batching))
    return results


def sizes_for(most_items: int) -> tuple[int, ...]:
    """The batch sizes worth a measurement for a map that had at most so many items.

    >>> sizes_for(1), sizes_for(6), sizes_for(100)
    ((), (4, 16), (4, 16, 64))
    """
    return tuple(size for before, size in zip((1, *SIZES), SIZES, strict=False) if most_items > before)
