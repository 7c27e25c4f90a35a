"""What an error limit may be about: each metric's meaning, and that the user's own function decides."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hetero.cost.metrics import METRICS, Metric, metric_of
from hetero.errors import ArgumentError, UnknownNameError

ROWS = arrays(np.float64, (3, 4), elements=st.floats(-1e3, 1e3, allow_subnormal=False))
SCORES = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]])


@pytest.mark.parametrize("name", METRICS)
@given(rows=ROWS)
def test_nothing_is_different_from_itself(name: str, rows: Any) -> None:
    """Also as a copy, and among other values."""
    value = {"rows": rows, "text": "a"}
    assert METRICS[name].difference(value, {"rows": rows.copy(), "text": "a"}) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "found", "expected"),
    [
        ("relative", SCORES * 1.5, 0.5),
        ("max_abs", SCORES + np.array([[0, 0, 0.25], [0, 0, 0]]), 0.25),
        ("cosine", SCORES * 7, 0.0),
        ("cosine", np.array([[0.1, 0.7, 0.2], [0, 0, 0]]), 1.0),
        ("top1", SCORES[:, ::-1], 0.5),
        ("exact", SCORES * 3, 0.0),
    ],
)
def test_meanings(name: str, found: Any, expected: float) -> None:
    """Each on two rows of scores."""
    assert METRICS[name].difference(SCORES, found) == pytest.approx(expected)


@pytest.mark.parametrize("name", METRICS)
def test_what_is_no_float_has_to_be_equal(name: str) -> None:
    """A text that differs is infinitely far, or one whole result where shares are counted."""
    assert METRICS[name].difference(("a", 1.0), ("b", 1.0)) == (1.0 if name == "exact" else math.inf)


def test_shares_are_means_and_the_others_the_worst() -> None:
    """One of four samples is a quarter; one bad vector is as bad as it is."""
    assert METRICS["exact"].over([0.0, 1.0, 0.0, 0.0]) == 0.25
    assert METRICS["cosine"].over([0.0, 0.3, 0.1]) == 0.3
    assert METRICS["relative"].over([]) == 0.0


def test_a_function_is_a_metric() -> None:
    """Its content tells it from others; what is not a number >= 0 says nothing and is infinitely far."""
    length = metric_of(lambda a, b: abs(len(a) - len(b)))
    assert length.difference("abc", "a") == 2.0
    assert length.digest != metric_of(lambda a, b: len(a)).digest
    assert length.digest == metric_of(lambda a, b: abs(len(a) - len(b))).digest
    assert metric_of(lambda a, b: math.nan).difference(1, 1) == math.inf


def test_a_function_may_be_a_share() -> None:
    """Given as a metric, its mean over the samples counts."""
    share = Metric("wrong", lambda a, b: float(a != b), is_share=True)
    assert metric_of(share).over([1.0, 0.0]) == 0.5
    assert share.digest != Metric("wrong", lambda a, b: float(a == b), is_share=True).digest


def test_an_unknown_metric_lists_all() -> None:
    """And something else is told what is expected."""
    with pytest.raises(UnknownNameError, match="top1"):
        metric_of("top5")
    with pytest.raises(ArgumentError, match="expected relative, max_abs"):
        metric_of(3)  # type: ignore[arg-type]
