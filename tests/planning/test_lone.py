"""What is offered to a plan that runs one model and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
from fake_devices import FakeBackend, Register
from tiny_models import affine

import hetero as ht
from hetero.cost.store import ProfileStore
from hetero.device import SPINS_ON, Variant

X = np.ones((2, 4), np.float32)
WAYS = (Variant(), Variant(settings={SPINS_ON: True}))


def ways(pipeline: Any, store: ProfileStore, **request: Any) -> set[bool]:
    with ht.plan(pipeline, X, allow=("spinner", "python"), store=store, **request) as plan:
        path = next(path for path in plan.options if path.startswith("affine"))
        return {bool(one.choice.variant.settings.get(SPINS_ON)) for one in plan.options[path]}


@ht.node
def first(y: Any) -> float:
    return float(y[0, 0])


def test_threads_that_go_on_spinning_are_for_a_plan_of_one_node(
    register: Register, store: ProfileStore
) -> None:
    """Beside anything else, and where a rate or energy counts, somebody else would pay for it."""
    register(FakeBackend("spinner", variants=WAYS))
    model = affine()
    assert ways(model, store) == {False, True}
    assert ways(model, store, objective="throughput") == {False}
    assert ways(model, store, objective="energy") == {False}
    assert ways(ht.pipeline(lambda x: first(model(x))), store) == {False}
