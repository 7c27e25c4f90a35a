"""Where the pages come from: rendered ones, the scan, and files that a person gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hetero.graphs.image_files import as_bgr, read_image, read_images
from hetero.graphs.images import form, form_lines, random_lines, rendered, scanned_page

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 4)).astype(np.uint8)


def test_the_scan_is_a_page_in_three_channels() -> None:
    """The scanned page comes as an image that every step takes."""
    page = scanned_page()
    assert page.shape == (191, 384, 3)
    assert page.dtype == np.uint8


def test_a_form_is_the_same_for_the_same_seed() -> None:
    """Timings and texts of a rendered page can be compared between runs."""
    assert np.array_equal(form(3, seed=1), form(3, seed=1))
    assert form_lines(3, seed=1) != form_lines(3, seed=2)
    assert len(form_lines()) == 40


def test_a_rendered_page_holds_every_line() -> None:
    """Each line leaves ink in its own row, and none is cut at the right edge."""
    lines = random_lines(5, seed=4)
    page = rendered(lines, font_pixels=20, margin=10)
    rows = [page[10 + row * 34 : 44 + row * 34] for row in range(len(lines))]
    assert all(row.min() < 128 for row in rows)
    assert (page[:, -5:] == 255).all()


def test_a_page_without_lines_is_blank() -> None:
    """Nothing to write is a white page, not an error."""
    assert (rendered([], margin=5) == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA"])
def test_files_are_read_as_rapidocr_reads_them(mode: str, tmp_path: Path) -> None:
    """A file of any of the common kinds becomes the array that rapidocr would see."""
    from rapidocr.utils.load_image import LoadImage

    path = tmp_path / "page.png"
    Image.fromarray(PIXELS).convert(mode).save(path)
    assert np.array_equal(read_image(path), LoadImage()(path))


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    """An image with a palette is read by its colours, not by their numbers in the palette."""
    path = tmp_path / "page.gif"
    colours = np.zeros((4, 4, 3), np.uint8)
    colours[:, :2] = (200, 100, 50)
    Image.fromarray(colours).quantize(4).save(path)
    assert read_image(path)[0, 0].tolist() == [50, 100, 200]


def test_a_photo_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    """The orientation that a camera notes is applied."""
    path = tmp_path / "photo.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    Image.fromarray(PIXELS[:, :, :3]).save(path, exif=exif)
    assert read_image(path).shape == (30, 20, 3)


def test_a_folder_gives_its_images_by_name(tmp_path: Path) -> None:
    """Images in a folder come in the order of their names; other files are left alone."""
    for name, shade in (("b.png", 2), ("a.PNG", 1), ("c.jpg", 3)):
        Image.new("L", (8, 8), shade).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    assert [int(image[0, 0, 0]) for image in read_images(tmp_path)] == [1, 2, 3]


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    """No file, no image in it, no image in a folder, pixels of another kind: each has its own message."""
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "none.png")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"broken\.png is not an image"):
        read_image(broken)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no \.png, .* file in the folder"):
        list(read_images(tmp_path / "empty"))
    with pytest.raises(ValueError, match="uint8, not float64"):
        as_bgr(np.zeros((2, 2)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"not \(2,\)"):
        as_bgr(np.zeros(2, np.uint8))
