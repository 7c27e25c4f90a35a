"""Texts that a person gives, as lists of lines."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SUFFIXES", "read_lines"]

SUFFIXES = (".txt",)


def read_lines(path: str | Path) -> list[str]:
    """The lines of a UTF-8 text file that hold more than white space, without the white space around them.

    Raises ``FileNotFoundError``, or ``ValueError`` for a file that is no UTF-8 text.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: byte {error.start} cannot be read") from error
    return [line.strip() for line in text.splitlines() if line.strip()]
