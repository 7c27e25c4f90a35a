"""A quick answer where it is sure enough: how sure is learnt, and the error stays what was allowed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hetero as ht
from hetero.cascades import threshold_for
from hetero.cost.store import ProfileStore
from hetero.errors import ArgumentError, UnknownNameError

SEEN = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40)


@ht.node
def quick(x: Any) -> int:
    return round(x)


@ht.node
def sureness(x: Any, answer: int) -> float:
    return 1 - abs(x - answer)


@ht.node
def careful(x: Any) -> int:
    """Differs from the quick answer near the halves only."""
    return round(x + 0.05)


def inputs(count: int, seed: int) -> list[float]:
    return np.random.default_rng(seed).uniform(0, 10, count).tolist()


def tuned(count: int = 400, error: float = 0.05, **options: Any) -> Any:
    return ht.cascade(quick, sureness, careful, inputs(count, 1), error=error, metric="exact", **options)


@given(SEEN, st.floats(0, 1))
def test_a_threshold_keeps_the_error_with_one_bad_sample_more(seen: Any, error: float) -> None:
    """What is accepted, and one sample that is all wrong, have a mean error within the limit; the next lower sureness
    would not have had it."""
    threshold = threshold_for(seen, error)
    allowed = error * (len(seen) + 1)

    def risk(least: float) -> float:
        return 1 + sum(off for sure, off in seen if sure >= least)

    if threshold < math.inf:
        assert risk(threshold) <= allowed * (1 + 1e-9)
    below = [sure for sure, _ in seen if sure < threshold]
    if below:
        assert risk(max(below)) >= allowed * (1 - 1e-9)


def test_a_wider_limit_takes_more_quick_answers() -> None:
    """From none, over those that are right, to all."""
    shares = [tuned(error=error).share_quick for error in (0.0, 0.02, 0.05, 1.0)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert shares[1] > 0.8


def test_few_samples_make_it_careful() -> None:
    """Ten samples cannot show that an error is under 2 %, however right they are."""
    assert tuned(count=10, error=0.02).threshold == math.inf


def test_the_error_holds_on_other_inputs() -> None:
    """On inputs that it was not tuned on the error stays under what was allowed, on average over tunings."""
    errors = []
    for seed in range(20):
        one = ht.cascade(quick, sureness, careful, inputs(100, seed), error=0.05, metric="exact")
        held_out = inputs(100, 1000 + seed)
        errors.append(np.mean([one(x) != careful(x) for x in held_out]))
    assert np.mean(errors) <= 0.05


def test_it_is_a_pipeline_like_any_other(tmp_path: Path) -> None:
    """Planned, it runs the careful side only where it has to."""
    one = tuned()
    assert one.error <= 0.05
    with (
        ProfileStore(tmp_path / "s.sqlite") as store,
        ht.plan(one, 0.1, calibrate=[0.5], store=store) as plan,
    ):
        for x in (0.1, 0.5, 3.49, 7.0):
            assert plan(x) == one(x)
        assert "branch#1/otherwise/careful" in plan.placement


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": []}, "at least one"),
        ({"samples": [ht.args(1, 2)]}, "each a single value"),
        ({"error": 2}, "from 0 to 1"),
        ({"error": math.nan}, "from 0 to 1"),
    ],
)
def test_bad_arguments_say_what_is_expected(change: dict[str, Any], message: str) -> None:
    """Before anything is run."""
    with pytest.raises(ArgumentError, match=message):
        ht.cascade(quick, sureness, careful, **({"samples": [1.0], "error": 0.1} | change))


def test_an_unknown_metric_lists_all() -> None:
    """As in a plan."""
    with pytest.raises(UnknownNameError, match="exact"):
        ht.cascade(quick, sureness, careful, [1.0], error=0.1, metric="bleu")
