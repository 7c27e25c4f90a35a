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

from hetero.cost.metrics import Metric
from hetero.graphs.extras import require
from hetero.graphs.image_files import SUFFIXES, read_images

if TYPE_CHECKING:
    from pathlib import Path

    from hetero.tracing import Pipeline

__all__ = [
    "CHARACTERS",
    "NAME",
    "SUFFIXES",
    "SUMMARY",
    "Line",
    "build",
    "character_error",
    "inputs",
    "sample",
    "show",
]

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
    return ((page,) for page in read_images(path))


def show(result: Sequence[Line]) -> str:
    """The texts with their confidence, a line each.

    >>> print(show([Line("Region-based segmentation", 0.99, ())]))
    0.990  Region-based segmentation
    >>> print(show([]))
    no text found
    """
    return "\n".join(f"{confidence:.3f}  {text}" for text, confidence, _ in result) or "no text found"


def character_error(reference: Sequence[Line], found: Sequence[Line]) -> float:
    """The share of characters that differ: what to plan by where a rare wrong letter may be.

    The least insertions, deletions and changes (Levenshtein, Soviet Physics Doklady 10, 707, 1966) that turn the texts,
    a line each, into those of the reference, over the reference's length.

    >>> character_error([Line("Order: 17", 1.0, ())], [Line("0rder: 17", 0.9, ())]) == 1 / 9
    True
    >>> character_error([], []), character_error([], [Line("a", 1.0, ())])
    (0.0, 1.0)
    """
    expected, got = ("\n".join(line.text for line in lines) for lines in (reference, found))
    if expected == got:
        return 0.0
    codes = np.array([ord(letter) for letter in got], np.int64)
    places = np.arange(len(got) + 1)
    row = places.copy()
    for count, letter in enumerate(expected, 1):
        least = np.empty_like(row)
        least[0] = count
        least[1:] = np.minimum(row[1:] + 1, row[:-1] + (codes != ord(letter)))
        # An insertion costs 1 a place: the smallest of all to the left, each with its distance.
        row = np.minimum.accumulate(least - places) + places
    return float(row[-1]) / max(len(expected), 1)


CHARACTERS = Metric("characters", character_error, is_share=True)
"""The metric for ``ht.plan``: the mean over the pages of the share of characters that differ."""
