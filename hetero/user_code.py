"""Which line of the user's code is running: for messages, and for the location that a node keeps."""

from __future__ import annotations

import os
import sys

__all__ = ["location"]

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def location() -> str:
    """``file.py:12`` of the innermost frame outside of this package; "" where there is none.

    A frame walk, not ``inspect.stack()``: that one reads source files, which need not exist.
    """
    frame = sys._getframe(1)
    while frame is not None:
        filename = frame.f_code.co_filename
        if not os.path.abspath(filename).startswith(_HERE) and not filename.endswith("functools.py"):
            return f"{os.path.basename(filename)}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""
