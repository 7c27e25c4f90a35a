"""Files that are either the old one or the new one, never half of each; JSON that a person wrote; and where hetero
keeps its own."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

__all__ = ["cache_directory", "read_json", "write_atomically"]


def write_atomically(path: str | Path, data: bytes) -> None:
    """Replace ``path`` by ``data``, or leave it as it was (a full disk, a crash, Ctrl-C).

    The new bytes are on the disk before the name changes hands: the temporary file is in the same folder, since
    a rename is atomic within one file system only.

    Raises:
        OSError: it cannot be written; names ``path``.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    # Not `tempfile`, whose files nobody else may read: the file gets the permissions that any new one gets.
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError as error:  # its file is the temporary one, which nobody knows
        raise type(error)(error.errno, error.strerror, str(target)) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_json(path: str | Path) -> Any:
    """What a JSON file in UTF-8 says. A person may have written it: a name that an object has twice is a slip of
    which the standard library would take the last one without a word.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not JSON, or an object has a name twice; says which.
        RecursionError: it is nested too deeply.
    """
    return json.loads(Path(path).read_text("utf-8"), object_pairs_hook=_each_name_once)


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has the field {twice!r} twice; give it once")
    return found


def cache_directory() -> Path:
    """Where profiles and exported models are kept: ``$HETERO_CACHE``, else the user's cache directory."""
    chosen = os.environ.get("HETERO_CACHE")
    users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = Path(chosen) if chosen else users / "hetero"
    directory.mkdir(parents=True, exist_ok=True)
    return directory
