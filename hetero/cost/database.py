"""An SQLite file that other processes use too, lock, replace or damage: how to get something done in it all
the same."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from hetero.cost.salvage import is_corruption, set_aside
from hetero.errors import StoreError

__all__ = ["Database", "Write"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

Write: TypeAlias = tuple[str, tuple[Any, ...]]
"""A statement and its values."""


class Database:
    """The file at ``path`` with the tables of ``schema``, opened when it is first used.

    ``patience_s`` is how long a file that another process has locked is waited for.
    """

    def __init__(
        self,
        path: Path,
        schema: str,
        *,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path, self._schema = path, schema
        self._patience_s, self._clock, self._sleep = patience_s, clock, sleep
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self.usable = True
        """Whether the last use went well. Who was kept waiting in vain is not kept waiting again until
        then."""

    def read(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query.

        Raises:
            StoreError: the file cannot be used.
        """
        return self._do(lambda connection: connection.execute(query, values).fetchall())

    def write(self, writes: Iterable[Write]) -> None:
        """All of the writes or, also when interrupted, none.

        Raises:
            StoreError: the file cannot be used.
        """
        together = tuple(writes)
        self._do(lambda connection: _transaction(connection, together))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._identity = None

    def _do(self, action: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            result = self._patiently(action)
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            self.close()
            self.usable = False
            raise StoreError(f"the profile store {self._path} cannot be used: {error}") from error
        self.usable = True
        return result

    def _patiently(self, action: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do it; wait while another process has the file locked; rebuild a corrupted file once, and do it
        again.

        The waiting is a loop of short waits here, since Ctrl-C does not reach SQLite's own.
        """
        give_up = self._clock() + (self._patience_s if self.usable else 0.0)
        told = rebuilt = False
        while True:
            try:
                result = action(self._open())
                if self._is_current():
                    return result
                # Another process put a new file in its place meanwhile, and it was done to the old one:
                # again.
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if is_corruption(error) and not rebuilt:
                    rebuilt = True
                    self.close()
                    set_aside(self._path, self._schema)
                elif _is_locked(error) and self._clock() < give_up:
                    if not told:
                        _log.warning("%s is locked by another process; waiting for it", self._path)
                    told = True
                    self._sleep(0.05)
                else:
                    raise

    def _open(self) -> sqlite3.Connection:
        """The connection; a new one where the file was replaced or removed."""
        if self._connection is not None and self._is_current():
            return self._connection
        self.close()
        # One connection for all threads of the process, behind the store's lock: entries are few and small.
        connection = sqlite3.connect(self._path, timeout=0.2, isolation_level=None, check_same_thread=False)
        try:
            # Readers go on while one process writes. After a power cut the last entries may be missing; that
            # saves a flush of the disk for each, and a measurement can be taken again.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.executescript(self._schema)
        except BaseException:
            connection.close()
            raise
        self._connection, self._identity = connection, _identity(self._path)
        return connection

    def _is_current(self) -> bool:
        return self._identity == _identity(self._path)


def _transaction(connection: sqlite3.Connection, writes: Iterable[Write]) -> None:
    # IMMEDIATE: a transaction that starts as a reader and then writes may find that it can do neither.
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement, values in writes:
            connection.execute(statement, values)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite has rolled back by itself where the disk was full
            connection.execute("ROLLBACK")
        raise


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at the path: two files have the same name one after the other, not the same inode."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _is_locked(error: Exception) -> bool:
    # The low byte is the primary code, without what SQLite adds to it (SQLITE_BUSY_SNAPSHOT and the like).
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
