"""Lower precision from outside: taken where the error allows it, left where not, and honest on inputs not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_devices import FakeBackend, Register, registering
from needs import needs
from tiny_models import affine

import hetero as ht
from hetero.cost.metrics import metric_of
from hetero.cost.store import ProfileStore
from hetero.device import Variant
from hetero.errors import PlanMismatchError
from hetero.plan_files import read_plan

X = np.linspace(0.1, 1, 8, dtype=np.float32).reshape(2, 4)
COARSE = ("cpu/coarse", Variant("int8", exact=False))


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """An exact engine that takes its time, and a quick one that is off by 2 %."""
    register = registering(monkeypatch)
    register(FakeBackend("exact", seconds=0.006))
    register(FakeBackend("coarse", variants=(COARSE[1],), change=lambda y: y * np.float32(1.02)))
    return register


@ht.node
def rounded(y: Any) -> list[str]:
    return [f"{value:.0f}" for value in np.ravel(y) * 2]


def planned(store: ProfileStore, *, text: bool = False, x: Any = X, **options: Any) -> ht.Plan:
    model = affine()
    pipeline = ht.pipeline(lambda x: rounded(model(x)) if text else model(x))
    return ht.plan(pipeline, x, allow=("exact", "coarse", "python"), store=store, **options)


def is_coarse(plan: ht.Plan) -> bool:
    return plan.placement["affine"] == COARSE


def test_the_error_limit_decides(register: Register, store: ProfileStore) -> None:
    """Faster by far, the coarse one is out under the usual limit and in under a wider one; both say why."""
    with planned(store) as plan:
        assert not is_coarse(plan)
        assert "int8 is off by 4.9e-04 at the very least, and the limit is 1.0e-04" in plan.explain()
    with planned(store, limits=ht.Limits(error=0.03)) as plan:
        assert is_coarse(plan)
        assert plan.estimate.error == pytest.approx(0.02, rel=1e-3)


def test_a_stated_error_holds_on_other_inputs(register: Register, store: ProfileStore) -> None:
    """Held-out inputs stay under three times the error that the plan states."""
    random = np.random.default_rng(0)
    model = affine()
    with planned(store, limits=ht.Limits(error=0.03), calibrate=[X * 2, X - 1]) as plan:
        assert is_coarse(plan)
        for _ in range(20):
            held_out = random.normal(size=(3, 4)).astype(np.float32)
            difference = metric_of("relative").difference(model(held_out), plan(held_out))
            assert difference <= 3 * plan.estimate.error


def test_what_was_not_measured_is_not_chosen(register: Register, store: ProfileStore) -> None:
    """Without time for a measurement the inexact one is out, however wide the limit."""
    with planned(store, limits=ht.Limits(error=1.0), budget_s=0) as plan:
        assert not is_coarse(plan)
        assert "its error was not measured, and it is not exact" in plan.explain()


def test_the_final_result_may_be_what_counts(register: Register, store: ProfileStore) -> None:
    """The texts are the same whatever the floats before them do: by ``exact`` the coarse one is good enough."""
    even = np.eye(4, dtype=np.float32)
    with planned(store, text=True, x=even, metric="exact") as plan:
        assert is_coarse(plan)
        assert plan.estimate.error == 0
        assert "measured, exact" in plan.explain()
    near = np.full((1, 4), 0.6249, np.float32)  # 2.4996 becomes 2.5496, which rounds up
    with planned(store, text=True, x=near, metric="exact") as plan:
        assert not is_coarse(plan)
    with planned(
        store,
        text=True,
        x=near,
        calibrate=[even, even * 2, even * 3],
        metric="exact",
        limits=ht.Limits(error=0.3),
    ) as plan:
        assert is_coarse(plan)
        assert plan.estimate.error == 0.25


def test_a_function_of_the_users_decides(register: Register, store: ProfileStore, tmp_path: Path) -> None:
    """On the pipeline's own results; a plan that was saved with it cannot be planned again without it."""

    def share_of_texts(reference: list[str], found: list[str]) -> float:
        return sum(a != b for a, b in zip(reference, found, strict=True)) / len(reference)

    near = np.array([[0.6249, 1, 1, 1]], np.float32)
    for limit, chosen in ((0.3, True), (0.2, False)):
        options = {"metric": share_of_texts, "limits": ht.Limits(error=limit)}
        with planned(store, text=True, x=near, **options) as plan:
            assert is_coarse(plan) == chosen
            assert plan.estimate.error == (0.25 if chosen else 0.0)
    plan.save(tmp_path / "plan.json")
    with read_plan(tmp_path / "plan.json", plan.graph) as again:
        assert again.request.metric.name == "function share_of_texts"
        with pytest.raises(PlanMismatchError, match="share_of_texts, which is not in the file"):
            again.request.metric.difference([], [])


def perceptron(scale: float) -> bytes:
    """Two products of matrices; ``scale`` makes one activation so large that 8 bits leave little for the others."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(3)
    first = random.normal(size=(32, 64)).astype(np.float32)
    first[:, 0] *= scale
    second = random.normal(size=(64, 8)).astype(np.float32)
    second[0] /= scale**2
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "first"], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("MatMul", ["r", "second"], ["y"]),
        ],
        "perceptron",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 8])],
        [numpy_helper.from_array(first, "first"), numpy_helper.from_array(second, "second")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_real_int8_models_are_measured_before_they_count(scale: float, store: ProfileStore) -> None:
    """ONNX Runtime's dynamic and OpenVINO's static one: inside the limit or out with their measured error; the plan
    keeps the limit either way, also on inputs that it was not made on."""
    limit = 0.1
    model = ht.from_onnx(perceptron(scale), name="perceptron")
    random = np.random.default_rng(4)
    x, *more = (random.normal(size=(64, 32)).astype(np.float32) for _ in range(4))
    with ht.plan(model, x, calibrate=more, limits=ht.Limits(error=limit), store=store) as plan:
        found = [o for o in plan.options["perceptron"] if o.choice.variant.precision == "int8"]
        if not found:
            needs("8-bit products", "this CPU has no instructions for them (VNNI), so int8 is not offered")
        hows = {o.choice.variant.settings["quantised"] for o in found}
        assert hows == {"dynamic", "static"}
        for option in found:
            if option.usable:
                assert option.estimate is not None
                assert 0 < option.estimate.error <= limit
        if scale > 1:
            assert not any(option.usable for option in found)
            assert any("its error is" in option.reason for option in found)
            assert plan.choices["perceptron"].variant.precision != "int8"
        for held_out in (random.normal(size=(16, 32)).astype(np.float32) for _ in range(5)):
            assert metric_of("relative").difference(model(held_out), plan(held_out)) <= 3 * limit
