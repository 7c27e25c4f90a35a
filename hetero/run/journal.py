"""Results on disk as they come, one JSON line an input: what a run that was cut short goes on from.

Results and checkpoint are one file, so that they cannot disagree. A line is appended by one write and counts once it is
whole: what a killed process left of its last line is cut off, and that input is run again.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np

from hetero.errors import ArgumentError

__all__ = ["Journal", "Key", "plain", "read_results"]

Key: TypeAlias = tuple[str, str]
"""An input: its name, and a digest of its content, so that a file which has changed is run again."""

FORMAT = "hetero results"
VERSION = 1
SYNC_S = 1.0
"""How much work a power cut may cost, since a write to a disk takes milliseconds. A killed process costs none."""


class Journal:
    """The results of one pipeline in a file; one process at a time writes it.

    Args:
        path: the file; begun if it is not there, else gone on with.
        pipeline: a digest of what makes the results. Those of different pipelines do not belong in one file.

    Raises:
        ArgumentError: the file holds something else, or another process writes it; it is left as it was.
        OSError: it cannot be written.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> with Journal(Path(folder.name) / "pages.jsonl", "digest of a pipeline") as journal:
    ...     journal.add(("page-1.png", "9f2c"), ["a line", "another one"])
    >>> with Journal(Path(folder.name) / "pages.jsonl", "digest of a pipeline") as journal:
    ...     ("page-1.png", "9f2c") in journal.done
    True
    >>> folder.cleanup()
    """

    def __init__(self, path: str | Path, pipeline: str) -> None:
        self.path = Path(path)
        self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            self._lock()
            self.done = self._resume(pipeline)
        except BaseException:
            os.close(self._file)
            raise
        self._synced_s = time.monotonic()

    def add(self, key: Key, result: Any) -> None:
        """File a result.

        Raises:
            ArgumentError: it holds something that JSON has no form for.
        """
        self._write({**_named(key), "result": plain(result)})
        self.done.add(key)

    def add_error(self, key: Key, error: BaseException) -> None:
        """File that an input failed, for whoever reads the results: it is not done, and a later run tries it again."""
        self._write({**_named(key), "error": f"{type(error).__name__}: {error}"})

    def close(self) -> None:
        """Have everything on the disk, and let others write."""
        os.fsync(self._file)
        os.close(self._file)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lock(self) -> None:
        """The system gives the lock back when a process ends, however it ends."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ArgumentError(
                f"{self.path} is being written by another run; wait for its end, or name another file"
            ) from error

    def _resume(self, pipeline: str) -> set[Key]:
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        head = {"format": FORMAT, "version": VERSION, "pipeline": pipeline}
        entries = _entries(data[:whole], self.path)
        if whole:
            _check(next(entries), head, self.path)
        elif not json.dumps(head).encode().startswith(data):
            raise ArgumentError(f"{self.path} is not a file of results; name another one")
        done = {_key(entry) for entry in entries if "error" not in entry}
        os.ftruncate(self._file, whole)
        if not whole:
            self._write(head, sync=True)
        return done

    def _write(self, entry: Mapping[str, Any], sync: bool = False) -> None:
        line = (json.dumps(entry, ensure_ascii=False) + "\n").encode()
        while line:
            line = line[os.write(self._file, line) :]
        if sync or time.monotonic() - self._synced_s > SYNC_S:
            os.fsync(self._file)
            self._synced_s = time.monotonic()


def read_results(path: str | Path) -> Iterator[dict[str, Any]]:
    """The entries of a file of results, ``{"input":, "digest":, "result":}`` or ``"error":`` in the place of the
    result: one for each input, the latest.

    Raises:
        OSError: it cannot be read.
        ArgumentError: it is no file of results; names the line.
    """
    data = Path(path).read_bytes()
    entries = _entries(data[: data.rfind(b"\n") + 1], Path(path))
    _check(next(entries, {}), {"format": FORMAT, "version": VERSION}, Path(path))
    yield from {entry["input"]: entry for entry in entries}.values()


def plain(value: Any) -> Any:
    """A result as JSON has it: arrays as lists, named tuples as objects with their fields.

    Raises:
        ArgumentError: a part of it has no such form.

    >>> plain({"scores": np.arange(2), "text": ("a", 1.5)})
    {'scores': [0, 1], 'text': ['a', 1.5]}
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufU":
        return value.tolist()
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(part) for name, part in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {name: plain(part) for name, part in value.items()}
    raise ArgumentError(
        f"a result that is written as JSON holds a {type(value).__name__}; let the pipeline end with a node that gives "
        "texts, numbers, arrays of them, lists or dicts with texts as keys"
    )


def _named(key: Key) -> dict[str, str]:
    return dict(zip(("input", "digest"), key, strict=True))


def _key(entry: Mapping[str, Any]) -> Key:
    return entry["input"], entry["digest"]


def _entries(data: bytes, path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(data.splitlines(), 1):
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise ArgumentError(f"{path}, line {number}: not JSON: {error}") from error
        named = isinstance(entry, dict) and (number == 1 or {"input", "digest"} <= entry.keys())
        if not named:
            raise ArgumentError(f"{path}, line {number}: not a result: {line[:60]!r}")
        yield entry


def _check(found: Mapping[str, Any], expected: Mapping[str, Any], path: Path) -> None:
    """Raise where the head of a file is not what this run would write."""
    for name, value in expected.items():
        if found.get(name) != value:
            what = (
                "the results of another pipeline, or of an earlier version of this one"
                if name == "pipeline"
                else f"{name} {found.get(name)!r}, not {value!r}"
            )
            raise ArgumentError(f"{path} holds {what}; name another file")
