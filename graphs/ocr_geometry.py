"""Where text is on a page: fitting the page to the detector, ordering boxes, cutting them out, and back.

A box is four corners (x, y) in pixels, clockwise from the top left; boxes are float32 (n, 4, 2). Images are
uint8 (height, width, 3) in BGR, as OpenCV has them.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Fit", "crop", "fit", "fitted", "in_reading_order", "to_page"]

SHORTEST_SIDE = 30
LONGEST_SIDE = 2000
STRIDE = 32
FLATTEST = 8.0  # width / height from which a page is padded: the detector misses text that fills its height
TALL = 1.5  # height / width from which a crop is a column of text, to be read lying
SAME_LINE = 10  # pixels: boxes whose tops differ by less stand on one line


class Fit(NamedTuple):
    """How a page became the detector's image: rescaled to (height, width), then padded above and below."""

    page_height: int
    page_width: int
    height: int
    width: int
    padding: int


def fit(page_height: int, page_width: int) -> Fit:
    """Bring the sides of a page into the detector's range, and pad a page that is flat.

    Raises ``ValueError`` for a page so long and thin that nothing of its short side would remain.

    >>> fit(191, 384)
    Fit(page_height=191, page_width=384, height=191, width=384, padding=0)
    >>> fit(4000, 3000)
    Fit(page_height=4000, page_width=3000, height=1984, width=1504, padding=0)
    >>> fit(40, 800)
    Fit(page_height=40, page_width=800, height=40, width=800, padding=80)
    """
    height, width = _within_bounds(page_height, page_width)
    flat = height <= SHORTEST_SIDE or width / height > FLATTEST
    padding = abs(2 * max(int(width / FLATTEST), SHORTEST_SIDE) - height) // 2 if flat else 0
    return Fit(page_height, page_width, height, width, padding)


def _within_bounds(height: int, width: int) -> tuple[int, int]:
    longest, shortest = max(height, width), min(height, width)
    if longest > LONGEST_SIDE:
        scale = LONGEST_SIDE / longest
    elif 0 < shortest < SHORTEST_SIDE:
        scale = SHORTEST_SIDE / shortest
    else:
        scale = 1.0
    if scale != 1.0:
        height, width = (round(int(side * scale) / STRIDE) * STRIDE for side in (height, width))
    if height < 1 or width < 1:
        raise ValueError(f"a page of {longest} x {shortest} pixels is too thin to read: cut it into pieces")
    return height, width


def fitted(page: NDArray[np.uint8], how: Fit) -> NDArray[np.uint8]:
    """The page as `fit` planned it: uint8 (height + 2 padding, width, 3), black where it was padded."""
    image = page
    if page.shape[:2] != (how.height, how.width):
        image = cv2.resize(page, (how.width, how.height)).astype(np.uint8, copy=False)
    rows = (how.padding, how.padding)
    return np.ascontiguousarray(np.pad(image, (rows, (0, 0), (0, 0))) if how.padding else image)


def to_page(boxes: NDArray[np.float32], how: Fit) -> NDArray[np.float32]:
    """Boxes on the fitted image as boxes on the page itself.

    >>> box = np.array([[[0, 80], [400, 80], [400, 120], [0, 120]]], np.float32)
    >>> to_page(box, fit(40, 800)).tolist()
    [[[0.0, 0.0], [400.0, 0.0], [400.0, 40.0], [0.0, 40.0]]]
    """
    moved = boxes - np.array([0, how.padding], np.float32)
    scale = np.array([how.page_width / how.width, how.page_height / how.height], np.float32)
    far = np.array([how.page_width, how.page_height], np.float32)
    return np.asarray(np.clip(moved * scale, 0, far), np.float32)


def in_reading_order(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes from the top line to the last, and from left to right within a line.

    A line ends where the next box's top left corner is `SAME_LINE` pixels further down.
    """
    down = boxes[np.argsort(boxes[:, 0, 1], kind="stable")]
    line = np.cumsum(np.diff(down[:, 0, 1], prepend=down[:1, 0, 1]) >= SAME_LINE)
    return down[np.lexsort((down[:, 0, 0], line))]


def crop(image: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The quadrilateral ``box`` cut out and made a rectangle; a column of text is laid on its side."""
    top, right, bottom, left = (
        np.linalg.norm(a - b) for a, b in zip(box, np.roll(box, -1, axis=0), strict=True)
    )
    width, height = int(max(top, bottom)), int(max(left, right))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    flat = cv2.warpPerspective(
        image,
        cv2.getPerspectiveTransform(box, corners),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.uint8, copy=False)
    return np.ascontiguousarray(np.rot90(flat) if height / width >= TALL else flat)
