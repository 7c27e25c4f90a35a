"""Texts that a person gives: a file or a folder of them, as lists of lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["read_lines", "read_texts"]

SUFFIX = ".txt"


def read_texts(path: str | Path) -> Iterator[list[str]]:
    """The lines of the file at ``path``, or of each ``.txt`` file directly in the folder ``path``, by name.

    Raises ``FileNotFoundError`` where there is nothing, or a folder holds no such file.
    """
    path = Path(path)
    if not path.is_dir():
        yield read_lines(path)
        return
    found = sorted(file for file in path.iterdir() if file.suffix.lower() == SUFFIX)
    if not found:
        raise FileNotFoundError(f"no {SUFFIX} file in the folder {path}")
    for file in found:
        yield read_lines(file)


def read_lines(path: str | Path) -> list[str]:
    """The lines of a UTF-8 text file that hold more than white space, without the white space around them.

    Raises ``FileNotFoundError``, or ``ValueError`` for a file that is no UTF-8 text.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: byte {error.start} cannot be read") from error
    return [line.strip() for line in text.splitlines() if line.strip()]
