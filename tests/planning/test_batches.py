"""Batches of a map's items, from outside: chosen where they pay, refused where they change the answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_devices import FakeBackend, Register
from tiny_models import affine

import hetero as ht
from hetero.cost.store import ProfileStore
from hetero.errors import ArgumentError, NodeError
from hetero.plan_files import read_plan

ITEMS = [np.full((1, 4), i, np.float32) for i in range(24)]
PATH = "map#1/affine"


@ht.node
def shifted(x: Any) -> Any:
    return x + 1


@ht.node
def first(y: Any) -> float:
    return float(y[0, 0])


def pipeline_of(model: Any) -> Any:
    return ht.pipeline(lambda xs: ht.map(lambda x: first(model(shifted(x))), xs))


def each(model: Any) -> Any:
    return ht.pipeline(lambda xs: ht.map(model, xs))


def batch(plan: ht.Plan) -> Any:
    return plan.choices[PATH].variant.settings.get("batch", 1)


def test_an_engine_with_a_price_a_call_gets_its_items_together(
    register: Register, store: ProfileStore
) -> None:
    """The batch is chosen by measurement, shown, and gives every item its own result."""
    family = register(FakeBackend("percall", seconds=0.004))
    with ht.plan(pipeline_of(affine()), ITEMS, allow=("percall", "python"), store=store) as plan:
        assert batch(plan) == 64
        before = family.runs
        assert plan(ITEMS) == [2.0 * (i + 1) for i in range(24)]
        assert family.runs == before + 1
        assert plan(ITEMS[:3]) == [2.0, 4.0, 6.0]
        assert plan([]) == []
        assert "batch=64" in plan.explain()
        assert plan.estimate.seconds == pytest.approx(0.004, rel=0.5)


def test_a_model_that_mixes_rows_is_not_batched(register: Register, store: ProfileStore) -> None:
    """Its shapes allow it, its outputs do not: each batch is compared with the reference."""
    register(FakeBackend("mixing", seconds=0.004, change=lambda y: y + (len(y) - 1)))
    with ht.plan(pipeline_of(affine()), ITEMS, allow=("mixing", "python"), store=store) as plan:
        assert batch(plan) == 1
        assert any("batch=64" in line and "error" in line for line in plan.explain().splitlines())


def test_larger_batches_are_not_tried_where_a_smaller_one_gains_nothing(
    register: Register, store: ProfileStore
) -> None:
    """A price a row makes four items as dear together as one by one, and so it is with sixteen."""

    def dear(y: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        time.sleep(0.004 * len(y) ** 1.2)
        return y

    register(FakeBackend("perrow", change=dear))
    with ht.plan(pipeline_of(affine()), ITEMS, allow=("perrow", "python"), store=store) as plan:
        tried = {one.choice.variant.settings.get("batch", 1) for one in plan.options[PATH]}
    assert batch(plan) == 1
    assert tried == {1, 4}


def test_an_answer_that_cannot_be_taken_apart_is_a_reason(register: Register, store: ProfileStore) -> None:
    """A batch that loses rows fails while it is measured, or differs; the plan is made without."""
    register(FakeBackend("losing", seconds=0.004, change=lambda y: y[:1]))
    with ht.plan(pipeline_of(affine()), ITEMS, allow=("losing", "python"), store=store) as plan:
        assert batch(plan) == 1


def test_items_of_unequal_length_are_filled_up_only_where_the_model_says_so(
    register: Register, store: ProfileStore
) -> None:
    """Without the word of the model only equal shapes share a batch."""
    family = register(FakeBackend("percall", seconds=0.004))
    texts = [np.ones((1, 1 + i % 4), np.float32) for i in range(16)]
    for paddable, size, calls in (({"x": 1}, 16, 1), ({}, 4, 4)):
        model = ht.from_onnx(row_sums(), name="affine", paddable=paddable)
        with ht.plan(each(model), texts, allow=("percall",), store=store) as plan:
            assert batch(plan) == size
            before = family.runs
            assert [float(y[0, 0]) for y in plan(texts)] == [1.0 + i % 4 for i in range(16)]
            assert family.runs == before + calls


def test_a_fixed_batch_is_not_offered_another(register: Register, store: ProfileStore) -> None:
    """A model whose first size is a number cannot take two items."""
    register(FakeBackend("percall", seconds=0.004))
    model = ht.from_onnx(row_sums(rows=1), name="affine")
    with ht.plan(each(model), ITEMS, allow=("percall",), store=store) as plan:
        assert not any("batch" in o.choice.variant.settings for o in plan.options[PATH])


def test_items_that_fail_each_for_itself_are_not_batched(register: Register, store: ProfileStore) -> None:
    """In a batch the others would fail with them."""
    register(FakeBackend("percall", seconds=0.004))
    model = affine()
    pipeline = ht.pipeline(lambda xs: ht.map(model, xs, errors="return"))
    with ht.plan(pipeline, ITEMS, allow=("percall",), store=store) as plan:
        assert batch(plan) == 1


def test_an_error_in_a_batch_names_its_node(register: Register, store: ProfileStore) -> None:
    """Also where it comes from a piece of the map that is run for all items."""
    register(FakeBackend("percall", seconds=0.004))
    with ht.plan(pipeline_of(affine()), ITEMS, allow=("percall", "python"), store=store) as plan:
        assert batch(plan) == 64
        with pytest.raises(NodeError, match="map#1/affine"):
            plan([np.ones((1, 5), np.float32)] * 2)
        with pytest.raises(NodeError, match="map#1/shifted"):
            plan(["text"])


def test_a_saved_plan_keeps_its_batches(register: Register, store: ProfileStore, tmp_path: Path) -> None:
    """The file has the calls of batches too, so that it can be solved again elsewhere."""
    register(FakeBackend("percall", seconds=0.004))
    pipeline = pipeline_of(affine())
    with ht.plan(pipeline, ITEMS, allow=("percall", "python"), store=store) as plan:
        plan.save(tmp_path / "plan.json")
    with read_plan(tmp_path / "plan.json", pipeline.trace()) as again:
        assert again.choices == plan.choices
        assert again.evidence == plan.evidence
        assert again(ITEMS) == [2.0 * (i + 1) for i in range(24)]


@pytest.mark.parametrize("paddable", [{"z": 1}, {"x": 0}, {"x": 2}, {"x": True}])
def test_what_may_be_filled_up_has_to_be_there(paddable: dict[str, Any]) -> None:
    """The input and the axis; the first axis is that of the items."""
    with pytest.raises(ArgumentError, match="paddable of 'sums'"):
        ht.from_onnx(row_sums(), name="sums", paddable=paddable)


def row_sums(rows: Any = "rows") -> bytes:
    """``y = sum(x, axis=1)``, of any width: zeros at the end of a row change nothing."""
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=1)],
        "sums",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, "width"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, 1])],
        [numpy_helper.from_array(np.array([1], np.int64), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())
