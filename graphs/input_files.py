"""The files that a person gives as one file or as a folder of them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["files_at"]


def files_at(path: str | Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The file at ``path`` whatever its name, or each file directly in the folder ``path`` that ends in one of the
    suffixes (in small or capital letters), by name. Hidden files are left out.

    Raises:
        FileNotFoundError: the folder holds no such file.
    """
    path = Path(path)
    if not path.is_dir():
        return [path]
    found = [f for f in path.iterdir() if f.suffix.lower() in suffixes and not f.name.startswith(".")]
    if not found:
        raise FileNotFoundError(f"no {', '.join(suffixes)} file in the folder {path}")
    return sorted(found)
