"""Pages of text made on the spot, and one real scan: the sample inputs of the pipelines that read.

Images are uint8 (height, width, 3) in BGR, as OpenCV has them, black on white.
"""

from __future__ import annotations

import random
import string
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hetero.graphs.extras import require

__all__ = ["form", "form_lines", "random_lines", "rendered", "scanned_page"]

FIELDS = (
    "Name", "Street", "City", "Country", "Phone", "Order", "Customer", "Invoice", "Date", "Due",
    "Item", "Quantity", "Price", "Discount", "Total", "Currency", "Account", "Bank", "Reference", "Carrier",
)  # fmt: skip
WORDS = (
    "amber", "bridge", "cedar", "delta", "engine", "forest", "granite", "harbour", "island", "juniper",
    "kettle", "lantern", "meadow", "north", "orchard", "pepper", "quartz", "river", "summit", "timber",
)  # fmt: skip


def scanned_page() -> NDArray[np.uint8]:
    """A scanned page of a textbook, unevenly lit: `skimage.data.page`, 191 x 384 pixels."""
    require("scanned_page", "skimage")
    import skimage.data

    grey = np.asarray(skimage.data.page(), np.uint8)  # type: ignore[no-untyped-call]
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


def rendered(lines: Sequence[str], *, font_pixels: int = 24, margin: int = 24) -> NDArray[np.uint8]:
    """Lines of text, one under the other, in the font that comes with Pillow.

    >>> rendered(["two", "lines"], font_pixels=20, margin=10).shape[0]
    88
    """
    require("rendered", "PIL")
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(font_pixels)
    pitch = round(1.7 * font_pixels)
    width = 2 * margin + max((round(font.getlength(line)) for line in lines), default=0)
    page = Image.new("L", (width, 2 * margin + pitch * len(lines)), color=255)
    draw = ImageDraw.Draw(page)
    for row, line in enumerate(lines):
        draw.text((margin, margin + row * pitch), line, fill=0, font=font)
    return np.repeat(np.asarray(page, np.uint8)[:, :, np.newaxis], 3, axis=2)


def form(lines: int = 40, seed: int = 0) -> NDArray[np.uint8]:
    """A filled-in form of so many lines, the same for the same seed."""
    return rendered(form_lines(lines, seed))


def form_lines(lines: int = 40, seed: int = 0) -> list[str]:
    """What the form says: a field and its value a line.

    >>> form_lines(2)
    ['Name: pepper island 4252', 'Street: juniper summit quartz 7818']
    """
    rng = random.Random(seed)
    values = [
        f"{' '.join(rng.choices(WORDS, k=rng.randint(1, 3)))} {rng.randint(10, 9999)}" for _ in range(lines)
    ]
    return [f"{FIELDS[row % len(FIELDS)]}: {value}" for row, value in enumerate(values)]


def random_lines(lines: int, seed: int) -> list[str]:
    """Lines of random letters, digits and signs, in words of 2 to 9: no language helps to read them.

    >>> random_lines(1, seed=3)
    ['BSUe +I']
    """
    rng = random.Random(seed)
    signs = string.ascii_letters + string.digits + ".,:;-+/()%&#"
    return [
        " ".join("".join(rng.choices(signs, k=rng.randint(2, 9))) for _ in range(rng.randint(1, 5)))
        for _ in range(lines)
    ]
