"""Items of a map run together: who goes with whom, stacked and taken apart, give what they give one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.device import Variant
from hetero.rewrite.batch import Batching, alone, batch_of, batched, batches, run_batched

SIZES = st.integers(1, 6)
SHAPES = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 5)), max_size=12)


def masked_mean(x: Any, mask: Any) -> tuple[Any, ...]:
    """Row by row, and blind to what the mask hides."""
    return ((x * mask).sum(axis=1, keepdims=True) / np.maximum(mask.sum(axis=1, keepdims=True), 1),)


@given(SHAPES, SIZES)
def test_every_item_is_in_one_batch_of_no_more_than_the_size(shapes: Any, size: int) -> None:
    """Whatever their shapes, and of those that share a batch every size but the first is equal."""
    found = batches([[shape] for shape in shapes], Batching(size, (None,)))
    assert sorted(number for batch in found for number in batch) == list(range(len(shapes)))
    for batch in found:
        assert 1 <= len(batch) <= size
        assert len({shapes[number][1:] for number in batch}) == 1


@given(SHAPES, SIZES, st.booleans())
def test_batched_outputs_are_those_of_the_items(shapes: Any, size: int, filled: bool) -> None:
    """In the items' order, with and without filling up, for a function that computes row by row."""
    random = np.random.default_rng(len(shapes))
    items = [(random.random(shape), np.ones(shape)) for shape in shapes]
    axes = (1, 1) if filled else (None, None)
    found = run_batched(masked_mean, items, Batching(size, axes))
    for item, (output,) in zip(items, found, strict=True):
        np.testing.assert_allclose(output, masked_mean(*item)[0])


def test_neighbours_in_length_share_a_batch() -> None:
    """So that little is filled up; the longest come first, which keeps lanes from waiting for them at the end."""
    shapes = [[(1, n)] for n in (9, 2, 8, 1)]
    assert batches(shapes, Batching(2, (1,))) == ((0, 2), (1, 3))


def test_a_group_is_cut_evenly() -> None:
    """A small rest would leave a lane idle."""
    assert [len(b) for b in batches([[(1, 4)]] * 10, Batching(8, (None,)))] == [5, 5]


def test_an_item_without_common_rows_stays_alone() -> None:
    """Its inputs have different first sizes, or none: no batch could be taken apart."""
    shapes = [[(2, 3), (1, 3)], [(2, 3), (1, 3)], [(), ()]]
    assert len(batches(shapes, Batching(8, (None, None)))) == 3


def test_an_answer_with_other_rows_is_an_error() -> None:
    """A sum over all rows cannot be taken apart; it says what it found."""
    items = [(np.ones((1, 2)),), (np.ones((1, 2)),)]
    with pytest.raises(ValueError, match=r"a batch of 2 rows gave an output of shape \(1, 2\)"):
        run_batched(lambda x: (x.sum(axis=0, keepdims=True),), items, Batching(4, (None,)))


def test_the_engine_builds_the_variant_without_its_batch() -> None:
    """A batch is the caller's business."""
    variant = Variant("bf16", 2, exact=False, settings={"layout": "nhwc"})
    assert batch_of(batched(variant, 16)) == 16
    assert alone(batched(variant, 16)) == variant
    assert batch_of(variant) == 1
