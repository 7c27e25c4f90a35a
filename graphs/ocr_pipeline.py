"""The nodes of the `ocr` pipeline, and how they are joined.

What the nodes call is imported by name, not through its module: a node's content hash follows such names.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import hetero as ht
from hetero.graphs.image_files import as_bgr
from hetero.graphs.ocr import NAME, Line
from hetero.graphs.ocr_detection import detector_input, text_boxes
from hetero.graphs.ocr_geometry import Fit, crop, fit, fitted, to_page
from hetero.graphs.ocr_models import CLASSIFIER, DETECTOR, RECOGNISER, alphabet, model_path
from hetero.graphs.ocr_recognition import CLASSIFIER_WIDTH, ctc_text, line_input, padded_widths, upright
from hetero.tracing import Pipeline

__all__ = ["ocr_pipeline"]

LEAST_CONFIDENCE = 0.5
DIGITS = 5  # rapidocr rounds confidences before it compares them; here only the comparison is rounded


class Crop(NamedTuple):
    """A piece of the page to be read: uint8 (height, width, 3), and the width that the recogniser sees."""

    image: NDArray[np.uint8]
    padded_width: int


def ocr_pipeline() -> Pipeline:
    """The models loaded and the nodes joined: `hetero.graphs.ocr.build` is the way in."""
    detect = ht.from_onnx(model_path(DETECTOR), name="detect")
    classify = ht.from_onnx(model_path(CLASSIFIER), name="classify")
    recognise = ht.from_onnx(model_path(RECOGNISER), name="recognise")

    @ht.pipeline
    def read(piece: Any) -> Any:
        orientation = classify(classifier_input(piece))
        return decode(recognise(recogniser_input(piece, orientation)))

    @ht.pipeline(name=NAME)
    def ocr(page: Any) -> Any:
        image, pixels, how = prepare(page)
        boxes = find_boxes(detect(pixels), image)
        return join(ht.map(read, crops(image, boxes)), boxes, how)

    return ocr


@ht.node
def prepare(page: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32], Fit]:
    """The page at a size that can be read, the same as the detector takes it, and how it got there."""
    image = as_bgr(page)
    how = fit(image.shape[0], image.shape[1])
    image = fitted(image, how)
    return image, detector_input(image), how


@ht.node
def find_boxes(probability: NDArray[np.float32], image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Boxes of text on the image, float32 (n, 4, 2), in reading order."""
    return text_boxes(probability, image.shape[0], image.shape[1])


@ht.node
def crops(image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> list[Crop]:
    """The boxes cut out; the padded width of each depends on its neighbours in aspect ratio."""
    images = [crop(image, box) for box in boxes]
    widths = padded_widths([(piece.shape[0], piece.shape[1]) for piece in images])
    return list(map(Crop, images, widths))


@ht.node
def classifier_input(piece: Crop) -> NDArray[np.float32]:
    """float32 (1, 3, 48, 192)."""
    return line_input(piece.image, CLASSIFIER_WIDTH)


@ht.node
def recogniser_input(piece: Crop, orientation: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 (1, 3, 48, padded width), upright."""
    return line_input(upright(piece.image, orientation), piece.padded_width)


@ht.node(outputs=1)
def decode(probabilities: NDArray[np.float32]) -> tuple[str, float]:
    """Text and confidence, one value."""
    return ctc_text(probabilities, alphabet())


@ht.node
def join(texts: list[tuple[str, float]], boxes: NDArray[np.float32], how: Fit) -> list[Line]:
    """What was read with enough confidence, with its place on the page itself."""
    corners = to_page(boxes, how).tolist()
    return [
        Line(text, confidence, tuple((x, y) for x, y in box))
        for (text, confidence), box in zip(texts, corners, strict=True)
        if text.strip() and round(confidence, DIGITS) >= LEAST_CONFIDENCE
    ]
