"""The demo's pipeline: what it reads, how it classifies, and both sides of its branch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import hetero as ht
from hetero.graphs import read_and_route
from hetero.graphs.business_lines import EXAMPLES, PAGE, PAGE_KINDS
from hetero.graphs.images import rendered
from hetero.plans import Plan

BUDGET_S = 5.0
"""Enough for a plan that runs; these tests are about answers, not about speed."""


@pytest.fixture(scope="module")
def plan() -> Iterator[Plan]:
    with ht.plan(read_and_route.build(), *read_and_route.sample(), budget_s=BUDGET_S) as made:
        yield made


@pytest.fixture(scope="module")
def thumbnail() -> NDArray[np.uint8]:
    """Six lines at a quarter of their size: hard to read as they are, easy when enlarged."""
    import cv2

    page = rendered(PAGE[:6])
    return np.asarray(cv2.resize(page, None, fx=0.26, fy=0.26, interpolation=cv2.INTER_AREA), np.uint8)


def test_the_page_is_read_and_classified(plan: Plan) -> None:
    """Every line of the sample is read as it was written, and both kernels say what a person says."""
    result = plan(*read_and_route.sample())
    assert [line.text for line in result.lines] == list(PAGE)
    assert [line.quantum for line in result.lines] == list(PAGE_KINDS)
    assert [line.classical for line in result.lines] == list(PAGE_KINDS)
    assert (result.route, result.readings) == ("straight", 1)


def test_results_are_those_of_the_reference(plan: Plan) -> None:
    """Texts, classes and route are equal to the reference's, confidences within the plan's error."""
    page = rendered(["Invoice no. INV-1", "Net amount 20.00", "Due on 3 May"])
    expected, found = plan.graph.run(page), plan(page)
    assert [(line.text, line.quantum, line.classical) for line in found.lines] == [
        (line.text, line.quantum, line.classical) for line in expected.lines
    ]
    assert found.confidence == pytest.approx(expected.confidence, abs=1e-3)
    assert found.route == expected.route


def test_a_page_that_is_hard_to_read_is_read_again_enlarged(plan: Plan, thumbnail: NDArray[np.uint8]) -> None:
    """The first reading is below the threshold, the second above: no person has to look at it."""
    result = plan(thumbnail)
    assert (result.route, result.readings) == ("straight", 2)
    assert len(result.lines) == 6


def test_an_empty_page_goes_to_a_person(plan: Plan) -> None:
    """Nothing was read, twice; that is a result and no error."""
    result = plan(np.full((200, 300, 3), 255, np.uint8))
    assert (result.route, result.readings, result.lines) == ("person", 2, ())


def test_models_and_circuit_are_in_one_plan(plan: Plan) -> None:
    """The plan places ONNX models, a torch module and a circuit, each on a device that runs its kind."""
    kinds = {node.op.kind for _, node in plan.graph.walk()}
    assert {"onnx", "torch", "circuit", "function", "map", "branch"} <= kinds
    for path, node in plan.graph.walk():
        device = plan.choices[path].device
        assert device == "control" or node.op.kind in plan.machine.device(device).kinds


def test_building_twice_gives_the_same_graph() -> None:
    """The classifiers are fitted without chance, so profiles of one process are those of the next."""
    from hetero.graphs.read_and_route_pipeline import read_and_route_pipeline

    assert read_and_route_pipeline().trace().digest == read_and_route.build().trace().digest


def test_no_line_of_the_page_is_among_the_examples() -> None:
    """What the classifiers are shown on is not what they were fitted on."""
    assert not set(PAGE) & {text for texts in EXAMPLES.values() for text in texts}


def test_disagreement_of_the_kernels_is_shown() -> None:
    """A line that the classical kernel sees differently says so."""
    line = read_and_route.RoutedLine("Net 845.00", 0.9, "amount", "date")
    shown = read_and_route.show(read_and_route.RoutedPage("person", 2, 0.8, (line,)))
    assert "classical kernel: date" in shown
    assert "agree on 0 of 1 lines" in shown
    assert "to a person: read twice" in shown


def test_images_of_a_person_are_inputs(tmp_path: Path) -> None:
    """A folder of images gives one page each."""
    from PIL import Image

    for name in ("a.png", "b.png"):
        Image.fromarray(rendered(["one line"])).save(tmp_path / name)
    assert [page.shape[2] for (page,) in read_and_route.inputs(tmp_path)] == [3, 3]
