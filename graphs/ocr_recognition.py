"""Reading one line of text: the networks' input, turning it upright, and characters from probabilities.

A crop is uint8 (height, width, 3) in BGR. Both networks take float32 (1, 3, 48, W) in [-1, 1], the crop
scaled to 48 pixels high and padded on the right with zeros.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["CLASSIFIER_WIDTH", "ctc_text", "line_input", "padded_widths", "upright"]

HEIGHT = 48
CLASSIFIER_WIDTH = 192
NARROWEST = 320
BATCH = 6
SURE_IT_IS_TURNED = 0.9
BLANK = 0  # the class of connectionist temporal classification (CTC) that stands for no character


def padded_widths(sizes: Sequence[tuple[int, int]]) -> list[int]:
    """The width that the recogniser sees for crops of these (height, width), in the order given.

    The models' own library sorts crops by aspect ratio and pads six neighbours to the widest of them. What a
    crop is padded to changes what is read, so the same rule is kept here also for crops that are read alone.

    >>> padded_widths([(48, 100), (48, 400), (24, 300)])
    [600, 600, 600]
    >>> padded_widths([(48, 100)] * 6 + [(48, 400)])
    [320, 320, 320, 320, 320, 320, 400]
    """
    ratios = np.array([width / height for height, width in sizes])
    order = np.argsort(ratios)
    widths = [0] * len(sizes)
    for start in range(0, len(sizes), BATCH):
        batch = order[start : start + BATCH]
        width = int(HEIGHT * max(NARROWEST / HEIGHT, *ratios[batch]))
        for index in batch:
            widths[index] = width
    return widths


def line_input(crop: NDArray[np.uint8], padded_width: int) -> NDArray[np.float32]:
    """A crop as the classifier and the recogniser take it: float32 (1, 3, 48, ``padded_width``).

    >>> line_input(np.full((24, 50, 3), 255, np.uint8), 192)[0, 0, 0, [0, 99, 100]].tolist()
    [1.0, 1.0, 0.0]
    """
    height, width = crop.shape[:2]
    scaled_width = min(padded_width, math.ceil(HEIGHT * (width / height)))
    pixels = cv2.resize(crop, (scaled_width, HEIGHT)).astype(np.float32).transpose(2, 0, 1)
    padded = np.zeros((1, 3, HEIGHT, padded_width), np.float32)
    padded[0, :, :, :scaled_width] = (pixels / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
    return padded


def upright(crop: NDArray[np.uint8], orientation: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The crop, turned by half a turn where the classifier is sure that it stands on its head.

    ``orientation`` is the classifier's output, float32 (1, 2): probabilities of 0 and of 180 degrees.

    >>> crop = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    >>> upright(crop, np.array([[0.05, 0.95]], np.float32)).tolist()
    [[[3, 4, 5], [0, 1, 2]]]
    """
    turned = orientation[0, 1] > SURE_IT_IS_TURNED
    return np.ascontiguousarray(crop[::-1, ::-1]) if turned else crop


def ctc_text(probabilities: NDArray[np.float32], alphabet: Sequence[str]) -> tuple[str, float]:
    """The text of the likeliest path, and its confidence: the mean probability of the characters kept.

    ``probabilities`` is the recogniser's output, float32 (1, steps, classes). On the path, repetitions are
    one character, and class 0 is none. Graves et al., "Connectionist temporal classification",
    doi:10.1145/1143844.1143891.

    >>> steps = np.eye(3, dtype=np.float32)[[1, 1, 0, 1, 2, 0]]
    >>> ctc_text(steps[np.newaxis], ["", "a", "b"])
    ('aab', 1.0)
    >>> ctc_text(np.eye(3, dtype=np.float32)[[0, 0]][np.newaxis], ["", "a", "b"])
    ('', 0.0)
    """
    path = probabilities[0].argmax(axis=1)
    kept = (path != BLANK) & np.diff(path, prepend=-1).astype(bool)
    if not kept.any():
        return "", 0.0
    confidence = probabilities[0, kept, path[kept]].mean(dtype=np.float64)
    return "".join(alphabet[label] for label in path[kept]), float(confidence)
