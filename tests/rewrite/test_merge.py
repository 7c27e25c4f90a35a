"""Models that follow each other as one: when, with what outputs, and only where a plan gains by it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_devices import FakeBackend, FakeDevice, registering
from onnx import helper
from onnx_models import model, projection
from tiny_models import affine

import hetero as ht
from hetero.cost.store import ProfileStore
from hetero.device import DeviceInfo, DirectExecutable, Variant
from hetero.errors import ModelError
from hetero.ops.base import Op
from hetero.ops.onnx import OnnxOp
from hetero.ops.onnx_merge import MergedOnnxOp, why_apart
from hetero.rewrite.merge import with_models_merged

X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
one, two, three = affine("one"), affine("two", factor=3.0), affine("three", factor=0.5)


@ht.pipeline
def chain(x: Any) -> Any:
    return three(two(one(x)))


@ht.pipeline
def looked_at(x: Any) -> Any:
    first = one(x)
    return two(first), first


def op_of(callee: Any) -> OnnxOp:
    assert isinstance(callee.op, OnnxOp)
    return callee.op


@ht.node
def add(a: Any, b: Any) -> Any:
    return a + b


def test_a_chain_becomes_one_model_of_the_same_outputs() -> None:
    """Engines that get the merged model give what the models give one after the other."""
    graph, told = with_models_merged(chain.trace())
    assert [node.name for node in graph] == told.paths == ["one+two+three"]
    op = graph["one+two+three"].op
    assert isinstance(op, MergedOnnxOp)
    (expected,) = op.load()(X)
    np.testing.assert_array_equal(expected, chain(X))
    np.testing.assert_array_equal(OnnxOp(op.file, "merged").load()(X)[0], expected)
    assert pickle.loads(pickle.dumps(op)).digest == op.digest


def test_inside_a_map_models_are_merged_too() -> None:
    """With its path in the map."""
    graph, told = with_models_merged(ht.pipeline(lambda xs: ht.map(chain, xs)).trace())
    assert told.paths == ["map#1/one+two+three"]
    np.testing.assert_array_equal(graph.run([X])[0], chain(X))


def test_what_someone_else_takes_stays() -> None:
    """A result that is returned, or that two nodes take, is still there."""
    for pipeline in (looked_at, ht.pipeline(lambda x: (lambda y: two(add(y, y)))(one(x)))):
        graph = pipeline.trace()
        assert with_models_merged(graph)[0] is graph


def test_inputs_that_the_first_does_not_give_are_kept_in_their_order() -> None:
    """A second model of two inputs gets one from the first and one from the caller, whichever comes first."""
    subtract = model(
        [helper.make_node("Sub", ["a", "b"], ["y"])],
        {"a": (np.float32, ["n", 4]), "b": (np.float32, ["n", 4])},
        {"y": (np.float32, ["n", 4])},
    )
    minus = ht.from_onnx(subtract.SerializeToString(), name="minus")
    for pipeline in (ht.pipeline(lambda x, z: minus(one(x), z)), ht.pipeline(lambda x, z: minus(z, one(x)))):
        graph, told = with_models_merged(pipeline.trace())
        assert told.paths == ["one+minus"]
        op = graph["one+minus"].op
        assert isinstance(op, OnnxOp)
        found = OnnxOp(op.file, "merged").load()(X, 5 * X)
        np.testing.assert_array_equal(found[0], pipeline(X, 5 * X))


def test_models_that_do_not_fit_say_why() -> None:
    """Other sizes, other versions of operators: the pair is left alone and the reason told."""
    narrow = ht.from_onnx(projection().SerializeToString(), name="narrow")
    (told,) = with_models_merged(ht.pipeline(lambda x: two(narrow(x))).trace())[1].reasons
    assert "narrow gives float32[n,3], two takes float32[rows,4]" in told
    old = OnnxOp.from_model(
        model(
            [helper.make_node("Relu", ["x"], ["y"])],
            {"x": (np.float32, ["n", 4])},
            {"y": (np.float32, ["n", 4])},
            opset=13,
        ).SerializeToString(),
        "old",
    )
    assert why_apart(op_of(one), old, (0,)) == "operators of version 17 and of version 13"
    with pytest.raises(ModelError, match="one and old cannot be one model: operators"):
        MergedOnnxOp(op_of(one), old, (0,))


class Breaking(FakeBackend):
    """Right on every model but a merged one."""

    def open_device(self, info: DeviceInfo) -> FakeDevice:
        return BreakingDevice(info, self)


class BreakingDevice(FakeDevice):
    def compile(self, op: Op, variant: Variant) -> DirectExecutable:
        change = (lambda y: y + 1) if isinstance(op, MergedOnnxOp) else self.family.change
        return FakeDevice(self.info, replace(self.family, change=change)).compile(op, variant)


def planned(store: ProfileStore) -> ht.Plan:
    return ht.plan(chain, X, allow=("slow", "python"), store=store)


def test_a_plan_takes_one_model_where_it_is_quicker(
    monkeypatch: pytest.MonkeyPatch, store: ProfileStore, tmp_path: Path
) -> None:
    """An engine that takes its time for every call gains; the plan says by how much, and comes back from a file."""
    registering(monkeypatch)(FakeBackend("slow", seconds=0.004))
    with planned(store) as plan:
        assert list(plan.choices) == ["one+two+three"]
        assert {name: where for name, (where, _) in plan.placement.items()} == dict.fromkeys(
            ("one", "two", "three"), "cpu/slow"
        )
        assert "one+two+three: " in plan.explain()
        assert "as one model" in plan.explain()
        np.testing.assert_allclose(plan(X), chain(X), rtol=1e-6)
        plan.save(tmp_path / "p.json")
    with ht.load_plan(tmp_path / "p.json", chain) as again:
        np.testing.assert_allclose(again(X), chain(X), rtol=1e-6)


def test_a_model_that_an_engine_gets_wrong_when_merged_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, store: ProfileStore
) -> None:
    """It is compared with the models one after the other, and the gate keeps them apart."""

    registering(monkeypatch)(Breaking("slow", seconds=0.004))
    with planned(store) as plan:
        assert list(plan.placement) == ["one", "two", "three"]
        assert "one+two+three: left apart: " in plan.explain()
