"""Reads the text on a page: PP-OCR with the models of rapidocr, its texts equal to rapidocr's own.

Find the boxes of text, cut them out, turn each upright, read it: a fan-out whose length only the page tells.
Loading this module loads no model and needs no extra; `build` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hetero.graphs.extras import require

if TYPE_CHECKING:
    from pathlib import Path

    from hetero.tracing import Pipeline

__all__ = ["NAME", "SUMMARY", "Line", "build", "inputs", "sample", "show"]

NAME = "ocr"
SUMMARY = "Reads the text on a page: detect, crop, classify, recognise (PP-OCRv6, models of rapidocr)"


class Line(NamedTuple):
    """A piece of text on a page; ``box`` is its corners (x, y) in pixels, clockwise from the top left."""

    text: str
    confidence: float
    box: tuple[tuple[float, float], ...]


@cache
def build() -> Pipeline:
    """The pipeline: a page, uint8 (height, width) or (height, width, 3) in BGR, to a list of `Line`.

    Raises `MissingExtraError` where a package of the extra "graphs" is missing.
    """
    require(NAME, "rapidocr", "cv2", "pyclipper")
    from hetero.graphs.ocr_pipeline import ocr_pipeline

    return ocr_pipeline()


def sample() -> tuple[NDArray[np.uint8]]:
    """scikit-image's scanned page of a textbook."""
    from hetero.graphs.images import scanned_page

    return (scanned_page(),)


def inputs(path: str | Path) -> Iterator[tuple[NDArray[np.uint8]]]:
    """An image file, or every image in a folder."""
    from hetero.graphs.image_files import read_images

    return ((page,) for page in read_images(path))


def show(result: Sequence[Line]) -> str:
    """The texts with their confidence, a line each.

    >>> print(show([Line("Region-based segmentation", 0.99, ())]))
    0.990  Region-based segmentation
    >>> print(show([]))
    no text found
    """
    return "\n".join(f"{confidence:.3f}  {text}" for text, confidence, _ in result) or "no text found"
