"""The `ocr` pipeline against the library that its models come from, and its parts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import hetero as ht
from hetero.errors import MissingExtraError, ModelError
from hetero.graphs import ocr, ocr_geometry, ocr_models, ocr_recognition
from hetero.graphs.images import form, form_lines, random_lines, rendered, scanned_page

Image = NDArray[np.uint8]
Read = tuple[list[str], list[float], NDArray[np.float32]]


@pytest.fixture(scope="module")
def rapidocr() -> Callable[[Image], Read]:
    """rapidocr's own reading of an image: texts, confidences, boxes."""
    from rapidocr import RapidOCR

    engine = RapidOCR(params={"Global.log_level": "critical"})

    def read(image: Image) -> Read:
        result: Any = engine(image.copy())
        if result.txts is None:
            return [], [], np.empty((0, 4, 2), np.float32)
        return list(result.txts), list(result.scores), result.boxes

    return read


def tilted(image: Image, degrees: float) -> Image:
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return np.asarray(cv2.warpAffine(image, turn, (width, height), borderValue=(255,) * 3), np.uint8)


def noisy(image: Image) -> Image:
    noise = np.random.default_rng(0).normal(0, 40, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


PAGES: dict[str, Callable[[], Image]] = {
    "scanned page": scanned_page,
    "form of 40 lines": form,
    "upside down": lambda: np.ascontiguousarray(form(6)[::-1, ::-1]),
    "on its side": lambda: np.ascontiguousarray(np.rot90(form(6))),
    "tilted": lambda: tilted(form(6), 12),
    "noisy": lambda: noisy(form(6)),
    "one flat line": lambda: rendered(["a long flat line that goes on and on and on and on"], margin=4),
    "thinner than 30 pixels": lambda: rendered(["ab"], font_pixels=12, margin=2),
    "longer than 2000 pixels": lambda: np.asarray(cv2.resize(form(8), None, fx=6, fy=6), np.uint8),
    "grey": lambda: scanned_page()[:, :, 0].copy(),
    "see-through": lambda: np.dstack([255 - form(4), 255 - form(4)[:, :, 0]]),
    "blank": lambda: np.full((200, 300, 3), 255, np.uint8),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_texts_confidences_and_boxes_are_rapidocrs_own(
    page: Callable[[], Image], rapidocr: Callable[[Image], Read]
) -> None:
    """Every kind of page is read as rapidocr reads it: texts and boxes equal, confidences but for rounding."""
    texts, confidences, boxes = rapidocr(page())
    lines = ocr.build()(page())
    assert [line.text for line in lines] == texts
    np.testing.assert_allclose([line.confidence for line in lines], confidences, atol=2e-5)
    np.testing.assert_allclose(np.array([line.box for line in lines]).reshape(-1, 4, 2), boxes, atol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_random_strings_are_read_as_rapidocr_reads_them(seed: int, rapidocr: Callable[[Image], Read]) -> None:
    """Text that no language helps to read, in several sizes, gives rapidocr's texts."""
    page = rendered(random_lines(3 + seed, seed), font_pixels=14 + 6 * seed)
    assert [line.text for line in ocr.build()(page)] == rapidocr(page)[0]


def test_a_plan_reads_pages_that_it_was_not_made_on(rapidocr: Callable[[Image], Read]) -> None:
    """Planned on a short form, other pages of other sizes still give rapidocr's texts."""
    with ht.plan(ocr.build(), form(3), budget_s=5) as plan:
        for page in (form(3), scanned_page(), rendered(random_lines(4, seed=11)), PAGES["blank"]()):
            assert [line.text for line in plan(page)] == rapidocr(page)[0]


def test_the_form_is_read_as_it_was_written() -> None:
    """Beside agreeing with rapidocr, the pipeline gets a clean form's text right."""
    read = [line.text.replace(" ", "") for line in ocr.build()(form(5))]
    assert read == [line.replace(" ", "") for line in form_lines(5)]


def test_the_traced_graph_maps_over_the_crops() -> None:
    """The graph has the detector outside and both line models inside of the map."""
    paths = [path for path, _ in ocr.build().trace().walk()]
    assert paths == [
        "prepare",
        "detect",
        "find_boxes",
        "crops",
        "map#1",
        "map#1/classifier_input",
        "map#1/classify",
        "map#1/recogniser_input",
        "map#1/recognise",
        "map#1/decode",
        "join",
    ]


def test_a_page_too_thin_says_so() -> None:
    """A page of which scaling would leave nothing is refused with its size."""
    with pytest.raises(ValueError, match="5000 x 10 pixels is too thin"):
        ocr_geometry.fit(10, 5000)


def test_loading_the_module_loads_no_engine() -> None:
    """Listing ready pipelines stays cheap: the face of ocr imports none of its extras."""
    heavy = "{'cv2', 'onnx', 'onnxruntime', 'rapidocr', 'skimage', 'PIL'}"
    code = f"import sys, hetero.graphs.ocr; sys.exit(bool({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rapidocr the error says what to install."""
    monkeypatch.setattr("hetero.graphs.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"ocr needs the package 'rapidocr'.*hetero\[graphs\]"):
        ocr.build.__wrapped__()


def test_a_missing_model_lists_those_that_are_there() -> None:
    """A rapidocr of another version gives a clear error, not a failure deep inside an engine."""
    with pytest.raises(ModelError, match=r"PP-OCRv9.onnx.*PP-OCRv6_det_small.onnx"):
        ocr_models.model_path("PP-OCRv9.onnx")


@given(st.lists(st.tuples(st.integers(4, 200), st.integers(4, 2000)), max_size=40))
def test_padding_covers_every_crop(sizes: list[tuple[int, int]]) -> None:
    """A crop's padded width is that of the widest of its batch: never less than its own, nor than 320."""
    widths = ocr_recognition.padded_widths(sizes)
    assert len(widths) == len(sizes)
    for (height, width), padded in zip(sizes, widths, strict=True):
        assert padded >= max(320, int(48 * (width / height)))
    in_order = [padded for _, padded in sorted(zip((w / h for h, w in sizes), widths, strict=True))]
    assert in_order == sorted(widths)


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_a_box_returns_to_its_place_on_the_page(height: int, width: int) -> None:
    """Fitting a page and mapping the whole fitted image back gives the whole page."""
    if max(height, width) > 60 * min(height, width):
        return  # too thin, which is tested above
    how = ocr_geometry.fit(height, width)
    top, bottom = how.padding, how.padding + how.height
    box = np.array([[[0, top], [how.width, top], [how.width, bottom], [0, bottom]]], np.float32)
    corners = [[0, 0], [width, 0], [width, height], [0, height]]
    np.testing.assert_allclose(ocr_geometry.to_page(box, how)[0], corners, rtol=1e-5)


def test_boxes_are_read_line_by_line() -> None:
    """Boxes whose tops differ little are one line, read from the left."""
    places = [(300, 12), (10, 50), (20, 10), (200, 55)]
    boxes = np.array([[(x, y), (x + 9, y), (x + 9, y + 9), (x, y + 9)] for x, y in places], np.float32)
    order = ocr_geometry.in_reading_order(boxes)[:, 0].tolist()
    assert order == [[20, 10], [300, 12], [10, 50], [200, 55]]
    assert ocr_geometry.in_reading_order(boxes[:0]).shape == (0, 4, 2)


@given(st.text("abc", max_size=12), st.text("abc", max_size=12))
def test_the_character_error_is_the_edit_distance(expected: str, found: str) -> None:
    """Against the recursion that defines it; over the reference's length."""

    @cache
    def distance(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        change = distance(i - 1, j - 1) + (expected[i - 1] != found[j - 1])
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, change)

    error = ocr.character_error([ocr.Line(expected, 1.0, ())], [ocr.Line(found, 0.5, ())])
    assert error == pytest.approx(distance(len(expected), len(found)) / max(len(expected), 1))
