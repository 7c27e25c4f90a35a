"""The PP-OCR models that come inside the rapidocr package: three ONNX files, found without importing it."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from hetero.errors import MissingExtraError, ModelError

__all__ = ["CLASSIFIER", "DETECTOR", "RECOGNISER", "alphabet", "model_path"]

DETECTOR = "PP-OCRv6_det_small.onnx"
CLASSIFIER = "ch_ppocr_mobile_v2.0_cls_mobile.onnx"
RECOGNISER = "PP-OCRv6_rec_small.onnx"


def model_path(name: str) -> Path:
    """The file of one of the three models.

    Raises `MissingExtraError` without rapidocr, `ModelError` where a rapidocr of another version lacks it.
    """
    spec = find_spec("rapidocr")
    if spec is None or spec.origin is None:
        raise MissingExtraError("ocr", "rapidocr", "graphs")
    folder = Path(spec.origin).parent / "models"
    if not (folder / name).is_file():
        found = ", ".join(sorted(file.name for file in folder.glob("*.onnx"))) or "none"
        raise ModelError(f"ocr needs the model {name}, which rapidocr 3.10 has; this one has: {found}")
    return folder / name


@cache
def alphabet() -> tuple[str, ...]:
    """The recogniser's classes in order: the blank, the characters in the model's metadata, and the space."""
    import onnx

    model = onnx.load_model(model_path(RECOGNISER))
    characters = {entry.key: entry.value for entry in model.metadata_props}["character"]
    return ("", *characters.splitlines(), " ")
