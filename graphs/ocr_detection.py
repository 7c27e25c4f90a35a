"""Text detection by differentiable binarization (DB): the detector's input, and boxes from its output.

The network gives each pixel's probability to lie in the shrunken core of a text region. Regions above a
threshold become rectangles, are kept where the mean probability is high, and are grown back to full size.
Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", doi:10.1609/aaai.v34i07.6812.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pyclipper
from numpy.typing import NDArray

from hetero.graphs.ocr_geometry import STRIDE, in_reading_order

__all__ = ["detector_input", "text_boxes"]

SHORTEST_SIDE = 736
PIXEL_THRESHOLD = 0.3
BOX_THRESHOLD = 0.5
MOST_REGIONS = 1000
GROWTH = 1.6  # the paper's unclip ratio
THINNEST_CORE = 3.0
THINNEST_BOX = 5.0
SMALLEST_SIDE = 3


def detector_input(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A BGR image as the detector takes it: float32 (1, 3, H, W) in [-1, 1], sides multiples of 32.

    A short side under 736 pixels is enlarged to it.

    >>> detector_input(np.zeros((191, 384, 3), np.uint8)).shape
    (1, 3, 736, 1472)
    """
    sides = image.shape[:2]
    scale = max(1.0, SHORTEST_SIDE / min(sides))
    height, width = (round(int(side * scale) / STRIDE) * STRIDE for side in sides)
    pixels = cv2.resize(image, (width, height)).astype(np.float32) * np.float32(1 / 255)
    scaled = (pixels - np.float32(0.5)) / np.float32(0.5)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[np.newaxis])


def text_boxes(probability: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Boxes float32 (n, 4, 2), in reading order, on an image of ``height`` x ``width`` pixels.

    ``probability`` is the detector's output, float32 (1, 1, H, W).

    >>> p = np.zeros((1, 1, 64, 128), np.float32)
    >>> p[0, 0, 20:30, 20:90] = 0.9
    >>> text_boxes(p, 64, 128).tolist()
    [[[13.0, 13.0], [97.0, 13.0], [97.0, 37.0], [13.0, 37.0]]]
    >>> text_boxes(np.zeros((1, 1, 64, 128), np.float32), 64, 128).shape
    (0, 4, 2)
    """
    core = probability[0, 0]
    map_size, image_size = np.array(core.shape[::-1], np.float32), np.array([width, height], np.float32)
    boxes = [_on_image(region, map_size, image_size) for region in _regions(core)]
    kept = [box for box in boxes if min(_int_sides(box)) > SMALLEST_SIDE]
    return in_reading_order(np.array(kept, np.float32).reshape(-1, 4, 2))


def _regions(core: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Grown rectangles, in pixels of the probability map, corners in no promised order."""
    mask = cv2.dilate((core > PIXEL_THRESHOLD).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask * 255, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours[:MOST_REGIONS]:
        rectangle, thickness = _tightest_rectangle(np.asarray(contour, np.int32))
        if thickness < THINNEST_CORE or _mean_inside(core, rectangle) < BOX_THRESHOLD:
            continue
        grown, thickness = _tightest_rectangle(_grown(rectangle))
        if thickness >= THINNEST_BOX:
            yield grown


def _tightest_rectangle(points: NDArray[np.int32]) -> tuple[NDArray[np.float32], float]:
    """The smallest rectangle, of any angle, around points: corners (4, 2) in cyclic order, and its thickness.

    The corners begin with the upper of the two on the left: rounding and area depend on where one begins.
    """
    rectangle = cv2.minAreaRect(points)
    corners = sorted(cv2.boxPoints(rectangle), key=lambda corner: float(corner[0]))
    (top_left, bottom_left), (top_right, bottom_right) = (
        sorted(side, key=lambda corner: float(corner[1])) for side in (corners[:2], corners[2:])
    )
    return np.array([top_left, top_right, bottom_right, bottom_left]), min(rectangle[1])


def _mean_inside(core: NDArray[np.float32], rectangle: NDArray[np.float32]) -> float:
    """The mean probability inside a rectangle, its corners cut to whole pixels."""
    last = np.array(core.shape[::-1]) - 1
    low = np.clip(np.floor(rectangle.min(axis=0)).astype(np.int32), 0, last)
    high = np.clip(np.ceil(rectangle.max(axis=0)).astype(np.int32), 0, last)
    window = core[low[1] : high[1] + 1, low[0] : high[0] + 1]
    mask = np.zeros(window.shape, np.uint8)
    cv2.fillPoly(mask, [(rectangle - low).astype(np.float32).astype(np.int32)], (1,))
    return float(cv2.mean(window, mask)[0])


def _grown(rectangle: NDArray[np.float32]) -> NDArray[np.int32]:
    """A rectangle's outline moved outwards by area x `GROWTH` / perimeter, corners rounded: (n, 1, 2)."""
    corners = rectangle.astype(np.float64)
    following = np.roll(corners, -1, axis=0)
    area = abs(np.sum(corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0])) / 2
    perimeter = np.sum(np.linalg.norm(corners - following, axis=1))
    outline = pyclipper.PyclipperOffset()
    outline.AddPath(rectangle, pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    return np.concatenate(outline.Execute(area * GROWTH / perimeter)).astype(np.int32).reshape(-1, 1, 2)


def _on_image(
    box: NDArray[np.float32], map_size: NDArray[np.float32], image_size: NDArray[np.float32]
) -> NDArray[np.float32]:
    """From pixels of the probability map to whole pixels of the image, clockwise from the top left."""
    scaled = np.clip(np.round(box / map_size * image_size), 0, image_size).astype(np.int32)
    return np.minimum(_clockwise(scaled), image_size - 1)


def _clockwise(corners: NDArray[np.int32]) -> NDArray[np.float32]:
    """Corners from the top left on, clockwise, told apart by x, then y, after rounding."""
    by_x = corners[np.argsort(corners[:, 0])]
    (top_left, bottom_left), (top_right, bottom_right) = (
        side[np.argsort(side[:, 1])] for side in (by_x[:2], by_x[2:])
    )
    return np.array([top_left, top_right, bottom_right, bottom_left], np.float32)


def _int_sides(box: NDArray[np.float32]) -> tuple[int, int]:
    return int(np.linalg.norm(box[0] - box[1])), int(np.linalg.norm(box[0] - box[3]))
