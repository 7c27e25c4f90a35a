"""Which code is the user's: the line that runs, for messages, and what a content hash has to look into."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import FrameType, TracebackType

__all__ = ["is_library", "line_of", "location", "raised_in"]

_OURS = str(Path(__file__).absolute().parent) + os.sep
_PIPELINES = _OURS + "graphs" + os.sep
_LIBRARIES = tuple(
    {sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)


@cache
def is_ours(filename: str) -> bool:
    """Whether a file is part of hetero; the ready pipelines beside it are user code like any other."""
    path = str(Path(filename).absolute())
    return path.startswith(_OURS) and not path.startswith(_PIPELINES)


@cache
def is_library(filename: str) -> bool:
    """Whether a file belongs to Python or to an installed package."""
    return filename.startswith("<frozen") or str(Path(filename).absolute()).startswith(_LIBRARIES)


def location() -> str:
    """``file.py:12`` of the user's line that is running; "" where there is none.

    A frame walk, not ``inspect.stack()``: that one reads source files, which need not exist.
    """
    return _users_line(_outward(sys._getframe(1)))


def line_of(traceback: TracebackType | None) -> str:
    """As ``location``, of the user's line that an error came from."""
    return _users_line((frame.f_code.co_filename, line) for frame, line in _from_within(traceback))


def raised_in(traceback: TracebackType | None) -> str:
    """As ``line_of``, where the user's code raised, itself or through a library that it called.

    "" where hetero did, its ready pipelines included: their lines say nothing to whoever only runs them.
    """
    for frame, line in _from_within(traceback):
        filename = frame.f_code.co_filename
        if frame.f_globals.get("__name__", "").partition(".")[0] == "hetero":
            return ""
        if not is_library(filename):
            return f"{Path(filename).name}:{line}"
    return ""


def _from_within(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    frames = []
    while traceback is not None:
        frames.append((traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    return reversed(frames)


def _outward(frame: FrameType | None) -> Iterator[tuple[str, int]]:
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back


def _users_line(lines: Iterable[tuple[str, int]]) -> str:
    """The innermost line that is neither hetero's nor a library's.

    A library called by the pipeline (``np.sum``) lies between the two. The pipeline itself may live in an installed
    package: then it is what stands right below hetero's own lines.
    """
    last = ""
    for filename, line in lines:
        if is_ours(filename):
            if last:
                break
            continue
        last = f"{Path(filename).name}:{line}"
        if not is_library(filename):
            break
    return last
