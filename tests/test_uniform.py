"""Plans of habit: everything on one engine, with its defaults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import hetero as ht
from hetero.device import DeviceInfo
from hetero.plans import Plan
from hetero.uniform import habitual_precision, uniform

torch.manual_seed(0)
double_linear = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
score = ht.from_torch(double_linear, torch.zeros(1, 8), name="score")


@ht.node
def rows(table: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    return [row[np.newaxis] for row in table]


@ht.pipeline
def pipeline(table: Any) -> Any:
    return ht.map(score, rows(table))


SAMPLE = np.linspace(-1, 1, 32, dtype=np.float32).reshape(4, 8)


@pytest.fixture(scope="module")
def plan(own_cache: object) -> Iterator[Plan]:
    with ht.plan(pipeline, SAMPLE) as made:
        yield made


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "torch"])
def test_models_go_to_the_engine_and_nothing_else_moves(plan: Plan, engine: str) -> None:
    """The model runs on the engine with all cores and in its own precision, items one after the other."""
    with uniform(plan, engine) as habit:
        choice = habit.choices["map#1/score"]
        device = plan.machine.device(choice.device)
        assert device.engine == engine
        assert choice.variant.threads == device.max_threads
        assert choice.variant.precision == habitual_precision(device)
        assert habit.choices["map#1"].variant.settings["lanes"] == 1
        assert habit.choices["rows"] == plan.choices["rows"]


def test_answers_are_the_pipelines(plan: Plan) -> None:
    """In fp32 a plan of habit gives what the measured plan gives."""
    with uniform(plan, "onnxruntime") as habit:
        for expected, found in zip(plan(SAMPLE), habit(SAMPLE), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_an_engine_that_runs_none_of_the_models_is_refused(plan: Plan) -> None:
    """A circuit simulator says that it runs no model of the pipeline."""
    with pytest.raises(ht.HeteroError, match="'aer' runs no model of 'pipeline'"):
        uniform(plan, "aer")


def test_a_plan_without_evidence_cannot_be_priced(plan: Plan) -> None:
    """Without what the samples showed there is nothing to go by."""
    with pytest.raises(ht.HeteroError, match="no evidence"):
        uniform(replace(plan, evidence=None), "torch")


def test_openvino_takes_bf16_by_itself_where_the_cpu_has_it() -> None:
    """That is its default; every other engine stays in fp32."""
    fields = ("", "cpu", "any", "any", ("onnx",))
    able = DeviceInfo("cpu/openvino", "openvino", *fields, precisions=("fp32", "bf16"))
    assert habitual_precision(able) == "bf16"
    assert habitual_precision(replace(able, precisions=("fp32",))) == "fp32"
    assert habitual_precision(replace(able, engine="torch")) == "fp32"
