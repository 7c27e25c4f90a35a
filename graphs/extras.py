"""What a ready pipeline needs to be installed, said before it fails halfway."""

from __future__ import annotations

from importlib.util import find_spec

from hetero.errors import MissingExtraError

__all__ = ["require"]


def require(who: str, *packages: str) -> None:
    """Raise `MissingExtraError` for the first of ``packages`` that cannot be imported; import none of them.

    >>> require("ocr", "numpy")
    >>> require("ocr", "numpy", "no_such_package")
    Traceback (most recent call last):
        ...
    hetero.errors.MissingExtraError: ocr needs the package 'no_such_package', which is not installed: \
pip install 'hetero[graphs]'
    """
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtraError(who, package, "graphs")
