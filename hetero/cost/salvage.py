"""A corrupted profile store: set aside, never deleted, and what can still be read of it goes into a new
one."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

__all__ = ["is_corruption", "set_aside"]

_log = logging.getLogger(__name__)
_TABLES = ("profile_v2", "record_v1")
_SUFFIXES = ("", "-wal", "-shm")


def is_corruption(error: Exception) -> bool:
    """Whether the file itself is broken, or is not a database (of ours) at all."""
    if isinstance(error, UnicodeDecodeError):  # a name in it is no text, and so neither is SQLite's message
        return True
    # The low byte is the primary code, without what SQLite adds to it (SQLITE_CORRUPT_INDEX and the like).
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    foreign = "no such column" in str(error) or "has no column named" in str(error)
    return foreign or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: Path, schema: str) -> Path | None:
    """Rename a corrupted store to ``NAME.corrupt-N`` and put a new one with what was readable in its place.

    Several processes may find the corruption at once: one works, the others wait and then find a sound file.
    The name it has now, or None where the file was sound after all.
    """
    with _alone(path):
        if _is_sound(path, schema):
            return None
        old = _rename(path)
        with closing(sqlite3.connect(path)) as new:
            new.executescript(schema)
            saved = sum(_copy(old, new, table) for table in _TABLES)
        _log.warning(
            "the profile store %s was corrupted: it is kept as %s; %d entries were readable and taken over",
            path,
            old.name,
            saved,
        )
        return old


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes out while the file changes its name.

    A lock on the file itself would move away with it, and the advisory locks of the platforms differ: a
    second, empty database serves as the lock, and is let go of when its process dies.
    """
    with closing(sqlite3.connect(f"{path}.guard", timeout=60, isolation_level=None)) as guard:
        guard.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            guard.execute("ROLLBACK")


def _is_sound(path: Path, schema: str) -> bool:
    try:
        with closing(sqlite3.connect(path, timeout=60)) as connection:
            connection.executescript(schema)
            for table in _TABLES:
                names = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
                if not all(name in names for name in _columns(schema, table)):
                    return False
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if is_corruption(error):
            return False
        raise


def _columns(schema: str, table: str) -> list[str]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema)
        return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def _rename(path: Path) -> Path:
    number = 1
    while (target := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    for suffix in _SUFFIXES:
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(target.with_name(target.name + suffix))
    return target


def _copy(old: Path, new: sqlite3.Connection, table: str) -> int:
    """Copy rows until the first one that cannot be read."""
    columns = [row[1] for row in new.execute(f"PRAGMA table_info({table})")]
    statement = f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(columns))})"
    saved = 0
    # Without `mode=ro`: a file with a write-ahead log cannot be opened read-only where its index is gone.
    with closing(sqlite3.connect(old, timeout=1)) as connection:
        try:
            for row in connection.execute(f"SELECT {', '.join(columns)} FROM {table}"):
                new.execute(statement, row)
                saved += 1
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            _log.info("%s, table %s: nothing more can be read: %s", old.name, table, error)
    new.commit()
    return saved
