"""Pictures that a person gives: a file or a folder of them, as arrays ready to be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hetero.graphs.extras import require
from hetero.graphs.input_files import files_at

__all__ = ["SUFFIXES", "as_bgr", "read_image", "read_images"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif")


def read_images(path: str | Path) -> Iterator[NDArray[np.uint8]]:
    """The image at ``path``, or each image directly in the folder ``path``, by name.

    Raises ``FileNotFoundError`` where there is nothing, or a folder holds no image.
    """
    return map(read_image, files_at(path, SUFFIXES))


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """An image file as uint8 (height, width, 3) in BGR, turned as its camera says, on an opaque background.

    Raises ``FileNotFoundError``, or ``ValueError`` for a file that is no image.
    """
    require("read_image", "PIL")
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            upright = ImageOps.exif_transpose(file)
            mode = upright.mode if upright.mode in ("L", "LA", "RGB", "RGBA") else "RGB"
            pixels = np.asarray(upright.convert(mode), np.uint8)
    except UnidentifiedImageError as error:
        raise ValueError(f"{path} is not an image that Pillow can read") from error
    return np.ascontiguousarray(pixels[:, :, ::-1]) if mode == "RGB" else as_bgr(pixels)


def as_bgr(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Any array of pixels as BGR: grey, grey with alpha, BGR (returned as it is) or RGBA.

    Raises ``ValueError`` for any other array.

    >>> as_bgr(np.zeros((4, 6), np.uint8)).shape
    (4, 6, 3)
    >>> as_bgr(np.array([[[10, 20, 30, 255], [10, 20, 30, 0]]], np.uint8)).tolist()
    [[[30, 20, 10], [255, 255, 255]]]
    """
    if image.dtype != np.uint8:
        raise ValueError(f"an image's pixels are uint8, not {image.dtype}")
    match image.shape:
        case (_, _) | (_, _, 1):
            grey = image.reshape(*image.shape[:2], 1)
            return np.repeat(grey, 3, axis=2)
        case (_, _, 2):
            return np.repeat(_grey_on_white(image)[:, :, np.newaxis], 3, axis=2)
        case (_, _, 3):
            return image
        case (_, _, 4):
            return np.ascontiguousarray(_on_contrast(image)[:, :, ::-1])
    raise ValueError(f"an image is (height, width) or (height, width, 1 to 4 channels), not {image.shape}")


def _grey_on_white(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey with alpha: what is there keeps its grey, lightened by how far it is see-through."""
    grey, alpha = image[:, :, 0].astype(np.uint16), image[:, :, 1]
    return np.minimum(np.where(alpha > 0, grey, 0) + (255 - alpha), 255).astype(np.uint8)


def _on_contrast(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGBA on white, or on black where the visible pixels are light: text stays readable either way."""
    colours, alpha = image[:, :, :3], image[:, :, 3:]
    visible = colours[alpha[:, :, 0] > 0]
    luminance = visible @ np.array([0.299, 0.587, 0.114]) if visible.size else np.zeros(1)
    background = np.float32(255 if luminance.mean() < 128 else 0)
    share = alpha.astype(np.float32) / np.float32(255)
    blended = colours.astype(np.float32) * share + background * (np.float32(1) - share)
    return np.asarray(blended, np.uint8)
