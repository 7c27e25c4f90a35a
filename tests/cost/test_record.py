"""Recording: every node once a sample, inside maps and branches too, and nothing where a value does not fit."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

import hetero as ht
from hetero.cost.record import record
from hetero.errors import ArgumentError, NodeError, SpecError
from hetero.graph import Graph, Input, Node, Ref
from hetero.ops.function import FunctionOp
from hetero.values import Specs

from .graphs import chain, given, map_and_branch, node


class VectorsOnly(FunctionOp):
    """A function that says what it takes."""

    def check(self, node: str, specs: Specs) -> None:
        if len(getattr(specs[0], "shape", ())) != 1:
            raise SpecError(f"node {node!r}, input 'x': found {specs[0]}, expected a vector")


def test_a_recording_has_what_the_graph_computes() -> None:
    """Outputs are those of running the graph, and calls, lengths and sides are kept by path."""
    graph = map_and_branch()
    samples = [(np.ones(3), 2.0), (np.ones(4), 3.0)]
    recording = record(graph, samples)
    assert recording.outputs == tuple(graph.run(*sample) for sample in samples)
    assert recording.lengths == {"map": (3, 4)}
    assert recording.taken == {"branch": (True, True)}
    assert {path: len(calls) for path, calls in recording.calls.items()} == {
        "split": 2,
        "map/scale": 7,
        "map": 2,
        "total": 2,
        "is_large": 2,
        "branch/then/halve": 2,
        "branch": 2,
    }
    assert [call.sample for call in recording.calls["map/scale"]] == [0] * 3 + [1] * 4
    assert recording.calls["map/scale"][0].inputs[1] == 2.0


def test_defaults_of_the_pipeline_are_filled_in() -> None:
    """A sample may leave out what has a default."""
    recording = record(map_and_branch(), [(np.ones(2),)])
    assert recording.samples[0][1] == 2.0
    assert recording.taken == {"branch": (False,)}


def test_every_node_runs_once_a_sample_and_is_loaded_once() -> None:
    """Two nodes of one op load it once; no node runs twice for one sample."""
    ran: Counter[str] = Counter()

    class Counted(FunctionOp):
        def load(self) -> Any:
            ran["load"] += 1
            return super().load()

    def step(x: int) -> int:
        ran["run"] += 1
        return x + 1

    op = Counted(step)
    graph = Graph("g", (Input("x"),), (Node("a", op, (given(),)), Node("b", op, (Ref("a"),))), Ref("b"))
    assert record(graph, [(1,), (5,)]).outputs == (3, 7)
    assert ran == {"load": 1, "run": 4}


def test_a_node_that_raises_is_named_with_its_path_and_cause() -> None:
    """The error of a map's item says which node of which map it was."""
    graph = map_and_branch()
    with pytest.raises(NodeError, match=r"map/scale.*UFuncTypeError|map/scale.*TypeError") as caught:
        record(graph, [(np.ones(2), "text")])
    assert caught.value.node == "map/scale"
    assert isinstance(caught.value.__cause__, TypeError)


def test_an_input_that_cannot_fit_stops_everything_before_anything_runs() -> None:
    """A node fed by the pipeline's input is checked first, although others come before it; for every sample."""
    ran: list[Any] = []
    first = node(ran.append, given(0), name="first")
    second = Node("second", VectorsOnly(lambda x: x), (given(1),))
    graph = Graph("g", (Input("x"), Input("y")), (first, second), Ref("second"))
    with pytest.raises(SpecError, match="second"):
        record(graph, [(1, np.ones(2)), (1, np.ones((2, 2)))])
    assert ran == []


def test_an_intermediate_that_does_not_fit_stops_before_its_node_runs() -> None:
    """A value made by another node is checked before the node that takes it runs."""
    ran: list[Any] = []
    make = node(lambda x: np.ones((x, x)), given(), name="make")
    take = Node("take", VectorsOnly(ran.append), (Ref("make"),))
    graph = Graph("g", (Input("x"),), (make, take), Ref("take"))
    with pytest.raises(SpecError, match=r"take.*float64\[2,2\]"):
        record(graph, [(2,)])
    assert ran == []


def test_a_sample_of_the_wrong_length_is_the_caller_s_error() -> None:
    """A missing value is named."""
    with pytest.raises(ArgumentError, match="misses its argument 'x'"):
        record(map_and_branch(), [()])


def test_progress_counts_nodes_times_samples() -> None:
    """Each top-level node is a step, once a sample; those inside maps and branches are not."""
    told: list[str] = []
    totals: list[int] = []

    class Bar:
        def __init__(self, total: int) -> None:
            totals.append(total)

        def advance(self, text: str) -> None:
            told.append(text)

    record(map_and_branch(), [(np.ones(2),), (np.ones(3),)], Bar)
    assert totals == [10]
    assert told == ["split", "map", "total", "is_large", "branch"] * 2


def test_inputs_of_other_libraries_become_arrays() -> None:
    """Anything with DLPack is taken into host memory before it is recorded."""

    class Foreign:
        def __dlpack__(self, **options: Any) -> Any:
            return np.ones(3).__dlpack__()

        def __dlpack_device__(self) -> tuple[int, int]:
            return (1, 0)

    recording = record(chain(lambda x: x + 1), [(Foreign(),)])
    assert isinstance(recording.samples[0][0], np.ndarray)
    assert recording.outputs[0].tolist() == [2.0, 2.0, 2.0]


def test_a_node_that_changes_its_input_in_place_is_named() -> None:
    """The sample would be another one for the next node, and for every later run."""

    @ht.node
    def doubled(values: Any) -> Any:
        values *= 2
        return values

    graph = ht.pipeline(lambda x: doubled(x)).trace()
    with pytest.raises(NodeError, match=r"doubled.*changed its input 'values' in place.*values\.copy\(\)"):
        record(graph, [(np.ones(3),)])
