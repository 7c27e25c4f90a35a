"""Differences of values, and the error of a pipeline traced to the node that made it."""

from __future__ import annotations

import math
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hetero.cost.accuracy import pipeline_error
from hetero.cost.difference import relative_l2
from hetero.cost.record import record
from hetero.errors import DeviceError, NodeError
from hetero.graph import Graph, Input, Node, Ref
from hetero.ops.map import MapOp

from .graphs import chain, given, map_and_branch, node

Pair = namedtuple("Pair", "boxes texts")


@dataclass
class Line:
    text: str
    box: np.ndarray[Any, Any]


FLOATS = arrays(np.float64, 5, elements=st.floats(-1e6, 1e6, allow_subnormal=False))


@for_all(FLOATS, FLOATS)
def test_the_definition(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> None:
    """It is ||a - b|| / ||a||, for arrays and for lists."""
    size = float(np.linalg.norm(a))
    if size > 1e-3:
        expected = float(np.linalg.norm(a - b)) / size
        assert relative_l2(a, b) == pytest.approx(expected)
        assert relative_l2(list(a), list(b)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("reference", "found", "expected"),
    [
        (np.zeros(3), np.zeros(3), 0.0),
        (np.zeros(3), np.full(3, 1e-9), math.inf),
        (np.ones(3), np.ones((3, 1)), math.inf),
        (np.array([1, 2]), np.array([1, 2]), 0.0),
        (np.array([1, 2]), np.array([1, 3]), math.inf),
        (np.array([np.nan, 1.0]), np.array([np.nan, 1.0]), 0.0),
        (np.array([np.nan, 1.0]), np.array([0.0, 1.0]), math.inf),
        (np.array([1.0, 1.0]), np.array([np.nan, 1.0]), math.inf),
        (np.array([np.inf, 1.0]), np.array([-np.inf, 1.0]), math.inf),
        (np.array([1 + 1j]), np.array([1 + 1j]), 0.0),
        (np.float32(2.0), 2.0, 0.0),
        (1.0, 1.5, 0.5),
        (True, False, math.inf),
        ("text", "text", 0.0),
        ("text", "test", math.inf),
        (None, None, 0.0),
        (["a", 1.0], ["a", 1.25], 0.25),
        ([1.0, 2.0], [1.0], math.inf),
        ({"a": 1.0}, {"a": 1.5}, 0.5),
        ({"a": 1.0}, {"b": 1.0}, math.inf),
        (Pair(np.ones(2), ["x"]), Pair(np.ones(2), ["x"]), 0.0),
        (Pair(np.ones(2), ["x"]), Pair(np.ones(2), ["y"]), math.inf),
        (Line("a", np.ones(2)), Line("a", np.ones(2) * 1.5), 0.5),
        (Line("a", np.ones(2)), Line("b", np.ones(2)), math.inf),
        (np.array(["a", 1.0], object), np.array(["a", 1.5], object), 0.5),
        (np.array(["a", "b"]), np.array(["a", "b"]), 0.0),
        (np.ones(2), "text", math.inf),
        (np.ones(2, np.int64), [1, 1], math.inf),
        ([], [], 0.0),
    ],
)
def test_cases(reference: Any, found: Any, expected: float) -> None:
    """Floats differ by degree; structure, integers, texts and NaN patterns are equal or infinitely far."""
    assert relative_l2(reference, found) == pytest.approx(expected)


def test_half_precision_is_compared_in_double() -> None:
    """Squares of large 16-bit floats do not overflow."""
    a = np.full(1000, 6e4, np.float16)
    assert relative_l2(a, a * np.float16(1.0)) == 0.0
    assert relative_l2(a, (a * np.float16(0.5))) == pytest.approx(0.5)


def test_objects_without_a_truth_value_are_compared_by_content() -> None:
    """An object whose == gives an array does not crash the comparison."""

    class Vector:
        def __init__(self, *values: float) -> None:
            self.values = np.array(values)

        def __eq__(self, other: object) -> Any:
            return self.values == other.values  # type: ignore[attr-defined]

        __hash__ = None  # type: ignore[assignment]

    assert relative_l2(Vector(1, 2), Vector(1, 2)) == 0.0
    assert relative_l2(Vector(1, 2), Vector(1, 3)) == math.inf


class Draw(list[float]):
    """A draw of chance: near enough is equal."""

    def hetero_difference(self, found: Any) -> float:
        return 0.0 if abs(found[0] - self[0]) < 1 else 0.5


def test_a_value_may_say_itself_what_its_difference_means() -> None:
    """Also where it is nested, and only the reference is asked."""
    assert relative_l2({"a": (Draw([5.0]), 1.0)}, {"a": (Draw([5.5]), 1.0)}) == 0.0
    assert relative_l2([Draw([5.0])], [[9.0]]) == 0.5


def test_what_follows_an_agreeing_draw_is_not_run_again() -> None:
    """Another engine's sample of the same distribution is no error, whatever is computed from it."""
    graph = chain(draw, first)
    recording = record(graph, [(5.0,)])
    result = pipeline_error(graph, {"draw": ""}, recording, lambda path, choice: lambda x: (Draw([x + 0.5]),))
    assert result.error == 0.0


def draw(x: float) -> Draw:
    return Draw([x])


def first(x: Draw) -> float:
    return x[0]


def double(x: Any) -> Any:
    return x * 2


def shift(x: Any) -> Any:
    return x + 1


def square(x: Any) -> Any:
    return x * x


def write(x: int) -> str:
    return str(x)


def count(x: str) -> int:
    return len(x)


def test_the_reference_everywhere_is_no_error_and_runs_nothing() -> None:
    """A plan of references is compared without running a node again."""
    ran: list[int] = []

    def counted(x: Any) -> Any:
        ran.append(1)
        return x + 1

    graph = chain(counted)
    recording = record(graph, [(np.ones(3),), (np.ones(2),)])
    assert len(ran) == 2
    result = pipeline_error(graph, {"counted": "reference"}, recording, lambda path, choice: None)
    assert (result.error, result.culprits) == (0.0, ())
    assert len(ran) == 2


def test_the_node_that_made_the_error_is_the_first_suspect() -> None:
    """Nodes after it carry its error on, and are not blamed for it."""
    graph = chain(double, shift, square)
    recording = record(graph, [(np.ones(3),)])
    runs = {
        "double": lambda x: (x * 2,),
        "shift": lambda x: ((x + 1) * 1.01,),
        "square": lambda x: (x * x * (1 + 1e-6),),
    }
    result = pipeline_error(graph, dict.fromkeys(runs, ""), recording, lambda path, choice: runs[path])
    assert result.error == pytest.approx(1.01**2 - 1, rel=1e-3)
    assert [culprit.path for culprit in result.culprits] == ["shift", "square"]


def test_a_changed_text_points_to_the_node_that_changed_it() -> None:
    """An infinite error is blamed on the first node whose inputs were still right."""
    graph = chain(write, count, double)
    recording = record(graph, [(123,)])
    runs = {"write": lambda x: ("12",), "count": lambda x: (len(x),)}
    result = pipeline_error(graph, dict.fromkeys(runs, ""), recording, lambda path, choice: runs[path])
    assert result.error == math.inf
    assert [culprit.path for culprit in result.culprits] == ["write", "count"]


def test_inside_maps_and_branches_too() -> None:
    """A node inside a map is found by its path, and a branch that turns the other way is followed."""
    graph = map_and_branch()
    recording = record(graph, [(np.ones(3), 2.0)])
    assert recording.outputs == (6.0,)
    choices = {"map": "control", "map/scale": "coarse"}

    def executable_for(path: str, choice: str) -> Any:
        return (lambda x, by: (x * by * 0.5,)) if choice == "coarse" else None

    result = pipeline_error(graph, choices, recording, executable_for)
    assert [culprit.path for culprit in result.culprits] == ["map/scale"]
    assert result.error == pytest.approx(0.0)  # 12 / 2 by one side, 6 by the other: the outputs agree


def test_a_map_that_loses_an_item_still_uses_what_was_recorded() -> None:
    """Items that moved are found again, so that the reference runs on new ones only."""
    ran: list[float] = []

    def work(x: float) -> float:
        ran.append(x)
        return x

    item = Graph("item", (Input("x"),), (node(work, given()),), Ref("work"))
    graph = Graph(
        "g",
        (Input("xs"),),
        (node(list, given(), name="items"), Node("map", MapOp(item), (Ref("items"),))),
        Ref("map"),
    )
    recording = record(graph, [([1.0, 2.0, 3.0],)])
    ran.clear()
    result = pipeline_error(graph, {"items": ""}, recording, lambda path, choice: lambda xs: (xs[1:],))
    assert ran == []
    assert result.error == math.inf


def test_errors_of_engines_and_of_nodes_keep_their_names() -> None:
    """A device's error passes as it is; anything else becomes the node's."""
    graph = chain(double)
    recording = record(graph, [(1.0,)])

    def fail(error: Exception) -> Any:
        def run(*inputs: Any) -> Any:
            raise error

        return lambda path, choice: run

    with pytest.raises(DeviceError, match="gone"):
        pipeline_error(graph, {"double": ""}, recording, fail(DeviceError("gone")))
    with pytest.raises(NodeError, match="double") as caught:
        pipeline_error(graph, {"double": ""}, recording, fail(ValueError("bad")))
    assert isinstance(caught.value.__cause__, ValueError)
