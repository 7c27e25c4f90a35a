"""The comparison of what was chosen with the reference, once for each choice."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_devices import FakeBackend, Register
from tiny_models import affine

import hetero as ht
from hetero.cost.record import record
from hetero.cost.store import ProfileStore
from hetero.device import Variant
from hetero.machine import Machine
from hetero.planning.gate import Gate
from hetero.plans import CONTROL, Choice

X = np.arange(8, dtype=np.float32).reshape(2, 4)
FP32 = Variant()


def gate_of(pipeline: Any, store: ProfileStore, *sample: Any) -> Gate:
    graph = pipeline.trace()
    recorded = SimpleNamespace(recording=record(graph, [sample]))
    return Gate(graph, Machine.detect(), recorded, "key", store)


def test_an_exact_choice_has_no_error_and_is_asked_once(tmp_path: Path, register: Register) -> None:
    """The answer is kept in the store under samples, choices and fingerprints."""
    family = register(FakeBackend("exact"))
    model = affine()
    pipeline = ht.pipeline(lambda x: model(x))
    with ProfileStore(tmp_path / "s.sqlite") as store:
        for _ in range(2):
            found = gate_of(pipeline, store, X).check({"affine": Choice("cpu/exact", FP32)})
            assert found.error == 0
        assert family.runs == 1


def test_the_culprit_is_named_and_kept(tmp_path: Path, register: Register) -> None:
    """From the store the same verdict comes back, infinite errors too."""
    register(FakeBackend("off", change=lambda y: y * np.float32(1.5)))
    register(FakeBackend("cut", change=lambda y: y[:1]))
    model = affine()
    pipeline = ht.pipeline(lambda x: model(x))
    with ProfileStore(tmp_path / "s.sqlite") as store:
        for _ in range(2):
            off = gate_of(pipeline, store, X).check({"affine": Choice("cpu/off", FP32)})
            assert off.error == pytest.approx(0.5)
            assert [c.path for c in off.culprits] == ["affine"]
            cut = gate_of(pipeline, store, X).check({"affine": Choice("cpu/cut", FP32)})
            assert cut.error == float("inf")


def test_choices_inside_maps_are_compared_too(tmp_path: Path, register: Register) -> None:
    """The map itself is no choice of a device; its nodes are."""
    register(FakeBackend("off", change=lambda y: y + 1))
    model = affine()
    pipeline = ht.pipeline(lambda xs: ht.map(model, xs))
    choices = {"map#1": Choice(CONTROL, Variant("native")), "map#1/affine": Choice("cpu/off", FP32)}
    with ProfileStore(tmp_path / "s.sqlite") as store:
        found = gate_of(pipeline, store, [X, X]).check(choices)
    assert found.error > 0
    assert found.culprits[0].path == "map#1/affine"


def test_a_model_that_is_used_twice_is_compiled_once(tmp_path: Path, register: Register) -> None:
    """And everything that was compiled is closed again."""
    family = register(FakeBackend("exact"))
    model = affine()
    pipeline = ht.pipeline(lambda x: model(model(x)))
    with ProfileStore(tmp_path / "s.sqlite") as store:
        gate_of(pipeline, store, X).check({n: Choice("cpu/exact", FP32) for n in ("affine", "affine#2")})
    assert family.compiled == [str(FP32)]
