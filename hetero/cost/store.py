"""Profiles and records on disk: what was measured once is not measured again.

One SQLite file, shared by as many processes as like. Whatever happens to it, planning goes on: a locked file
is waited for, a corrupted one is set aside and what can be read of it is taken over, and what cannot be
written for now (disk full, read-only) is kept in memory and written later.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from hetero.cost.measurement import NOTHING_KNOWN, About, Measurement, ProfileKey, Row
from hetero.cost.salvage import is_corruption, set_aside
from hetero.errors import StoreError
from hetero.files import cache_directory, write_atomically

__all__ = ["Measurement", "ProfileKey", "ProfileStore", "Row"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

# The version is in the tables' names, not in the file: two versions of hetero can share one file.
SCHEMA = """
CREATE TABLE IF NOT EXISTS profile_v1 (
    op TEXT, device TEXT, variant TEXT, specs TEXT,
    seconds REAL NOT NULL, spread_s REAL NOT NULL, low_s REAL NOT NULL, high_s REAL NOT NULL,
    repetitions INTEGER NOT NULL, cold_s REAL NOT NULL, error REAL, measured_at REAL NOT NULL,
    op_name TEXT, kind TEXT, device_name TEXT, engine TEXT, flops REAL, nbytes REAL,
    PRIMARY KEY (op, device, variant, specs)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record_v1 (
    kind TEXT, key TEXT, value TEXT NOT NULL, written_at REAL NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID;
"""
_MEASURED = "seconds, spread_s, low_s, high_s, repetitions, cold_s, error, measured_at"
_PROFILE = f"op, device, variant, specs, {_MEASURED}, op_name, kind, device_name, engine, flops, nbytes"
_PUT_PROFILE = f"INSERT OR REPLACE INTO profile_v1 ({_PROFILE}) VALUES ({', '.join('?' * 18)})"
_PUT_RECORD = "INSERT OR REPLACE INTO record_v1 (kind, key, value, written_at) VALUES (?, ?, ?, ?)"

_Write = tuple[str, tuple[Any, ...]]


class ProfileStore:
    """Measurements by key, and plan-level records (links, fits) by kind and key.

    ``path`` defaults to ``profiles.sqlite`` in the user's cache directory. Each ``put`` is one transaction,
    so an interrupted one leaves the old entry or the new one. ``patience_s`` is how long a file that another
    process has locked is waited for; then the write is kept and tried again with the next one and at
    ``close``.

    >>> import tempfile
    >>> with ProfileStore(tempfile.mkdtemp() + "/profiles.sqlite") as store:
    ...     store.put_record("link", "host-gpu0", {"latency_s": 1e-4})
    ...     store.get_record("link", "host-gpu0")
    {'latency_s': 0.0001}
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        patience_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = Path(path) if path is not None else cache_directory() / "profiles.sqlite"
        self._patience_s, self._clock, self._sleep = patience_s, clock, sleep
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._out_of_order = False
        self._lock = threading.RLock()
        # What the disk does not have yet. Reads look here first.
        self._profiles: dict[ProfileKey, Row] = {}
        self._records: dict[tuple[str, str], str] = {}

    def __enter__(self) -> ProfileStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get(self, key: ProfileKey) -> Measurement | None:
        """The measurement under this key; None where there is none or the file cannot be read."""
        with self._lock:
            if key in self._profiles:
                return self._profiles[key].measurement
            query = f"SELECT {_MEASURED} FROM profile_v1 WHERE op=? AND device=? AND variant=? AND specs=?"
            found = self._read_or_none(query, (key.op, key.device, key.variant, key.specs))
            return _sound(lambda: Measurement(*found)) if found else None

    def put(self, key: ProfileKey, measurement: Measurement, about: About = NOTHING_KNOWN) -> None:
        """File a measurement, replacing the one under the same key. Never raises for the disk's sake."""
        with self._lock:
            self._profiles[key] = Row(key, measurement, about)
            self._flush()

    def get_record(self, kind: str, key: str) -> dict[str, Any] | None:
        with self._lock:
            if (kind, key) in self._records:
                return dict(json.loads(self._records[kind, key]))
            found = self._read_or_none("SELECT value FROM record_v1 WHERE kind=? AND key=?", (kind, key))
            return _sound(lambda: dict(json.loads(found[0]))) if found else None

    def put_record(self, kind: str, key: str, value: dict[str, Any]) -> None:
        with self._lock:
            self._records[kind, key] = json.dumps(value)
            self._flush()

    def rows(self) -> list[Row]:
        """All measurements, newest first.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._lock:
            query = f"SELECT {_PROFILE} FROM profile_v1 ORDER BY measured_at DESC, op, variant, specs"
            found = self._demand(lambda db: db.execute(query).fetchall())
            stored = [row for values in found if (row := _row(values)) and row.key not in self._profiles]
            return [*self._profiles.values(), *stored]

    def prune(self, *, before: float | None = None, keep_devices: Collection[str] | None = None) -> int:
        """Drop measurements older than ``before`` (seconds since the epoch) and those of devices whose
        fingerprint is not in ``keep_devices``; the number that went. Without either, nothing goes.

        Raises:
            StoreError: the file cannot be written.
        """

        def goes(row: Row) -> bool:
            old = before is not None and row.measurement.measured_at < before
            return old or (keep_devices is not None and row.key.device not in keep_devices)

        with self._lock:
            gone = [row.key for row in self.rows() if goes(row)]
            delete = "DELETE FROM profile_v1 WHERE op=? AND device=? AND variant=? AND specs=?"
            self._demand(
                lambda db: _transaction(db, [(delete, (k.op, k.device, k.variant, k.specs)) for k in gone])
            )
            for key in gone:
                self._profiles.pop(key, None)
            return len(gone)

    def export(self, path: str | Path) -> int:
        """Write all measurements as JSON; their number. The old file stays whole where the disk is full.

        Raises:
            StoreError: the store cannot be read, or the file cannot be written.
        """
        rows = self.rows()
        entries = [
            {"key": _fields(row.key), "measurement": row.measurement.to_dict(), "about": _fields(row.about)}
            for row in rows
        ]
        text = json.dumps({"version": 1, "profiles": entries}, indent=1, allow_nan=False)
        try:
            write_atomically(path, text.encode())
        except OSError as error:
            raise StoreError(f"cannot export profiles to {path}: {error}") from error
        return len(rows)

    def import_(self, path: str | Path) -> int:
        """Take over what another store exported: all of it or, on an error, nothing. Where both have an entry
        the newer one stays. The number of entries taken.

        Raises:
            StoreError: the file is not an export of profiles, or the store cannot be written.
        """
        try:
            data = json.loads(Path(path).read_text("utf-8"))
            rows = [
                Row(ProfileKey(**e["key"]), Measurement.from_dict(e["measurement"]), About(**e["about"]))
                for e in data["profiles"]
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{path}: not an export of profiles: {type(error).__name__}: {error}") from error
        with self._lock:
            taken = [row for row in rows if self._newer(row)]
            self._demand(lambda db: _transaction(db, map(_put, taken)))
            return len(taken)

    def close(self) -> None:
        """Write what is still waiting, and let go of the file. The store opens it again when it is used
        again."""
        with self._lock:
            if self._profiles or self._records:
                self._flush()
            self._disconnect()

    def _newer(self, row: Row) -> bool:
        mine = self.get(row.key)
        return mine is None or mine.measured_at < row.measurement.measured_at

    def _flush(self) -> None:
        """Try to write what is waiting; keep it where that fails."""
        profiles, records = dict(self._profiles), dict(self._records)
        writes: list[_Write] = [_put(row) for row in profiles.values()]
        writes += [(_PUT_RECORD, (kind, key, text, time.time())) for (kind, key), text in records.items()]
        try:
            self._patiently(lambda db: _transaction(db, writes))
        except sqlite3.Error as error:
            self._give_up("written; entries are kept in memory for now", error)
        else:
            self._profiles.clear()
            self._records.clear()

    def _read_or_none(self, query: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        try:
            found = self._patiently(lambda db: db.execute(query, values).fetchone())
        except sqlite3.Error as error:
            self._give_up("read; going on without it", error)
            return None
        return tuple(found) if found else None

    def _give_up(self, what: str, error: sqlite3.Error) -> None:
        """Go on without the file; say so once, not for every entry."""
        log = _log.info if self._out_of_order else _log.warning
        log("the profile store %s cannot be %s: %s", self.path, what, error)
        self._out_of_order = True
        self._disconnect()

    def _demand(self, action: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do something that has no sense without the file."""
        try:
            return self._patiently(action)
        except sqlite3.Error as error:
            self._disconnect()
            raise StoreError(f"the profile store {self.path} cannot be used: {error}") from error

    def _patiently(self, action: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do it; wait while another process has the file locked; rebuild a corrupted file, once, and do it
        again.

        The waiting is a loop of short waits here, since Ctrl-C does not reach SQLite's own.
        """
        # Who was kept waiting in vain is not kept waiting again, until something works.
        give_up, told, rebuilt = (
            self._clock() + (0.0 if self._out_of_order else self._patience_s),
            False,
            False,
        )
        while True:
            try:
                result = action(self._open())
                # Where another process put a new file in its place meanwhile, it was done to the old one: again.
                if self._identity == _identity(self.path):
                    self._out_of_order = False
                    return result
            except sqlite3.DatabaseError as error:
                if is_corruption(error) and not rebuilt:
                    rebuilt = True
                    self._disconnect()
                    set_aside(self.path, SCHEMA)
                elif _is_locked(error) and self._clock() < give_up:
                    if not told:
                        _log.warning("%s is locked by another process; waiting for it", self.path)
                    told = True
                    self._sleep(0.05)
                else:
                    raise

    def _open(self) -> sqlite3.Connection:
        """The connection; a new one where the file was replaced (set aside by another process) or removed."""
        if self._connection is not None and self._identity == _identity(self.path):
            return self._connection
        self._disconnect()
        # One connection for all threads of the process, behind one lock: entries are few and small.
        connection = sqlite3.connect(self.path, timeout=0.2, isolation_level=None, check_same_thread=False)
        try:
            # Readers go on while one process writes. After a power cut the last entries may be missing; that
            # saves a flush of the disk for each, and a measurement can be taken again.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.executescript(SCHEMA)
        except BaseException:
            connection.close()
            raise
        self._connection, self._identity = connection, _identity(self.path)
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._identity = None


def _transaction(connection: sqlite3.Connection, writes: Iterable[_Write]) -> None:
    """All of it or nothing, also when interrupted."""
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


def _put(row: Row) -> _Write:
    k, m, a = row.key, row.measurement, row.about
    measured = (m.seconds, m.spread_s, m.low_s, m.high_s, m.repetitions, m.cold_s, m.error, m.measured_at)
    about = (a.op, a.kind, a.device, a.engine, a.flops, a.nbytes)
    return _PUT_PROFILE, (k.op, k.device, k.variant, k.specs, *measured, *about)


def _row(values: tuple[Any, ...]) -> Row | None:
    return _sound(lambda: Row(ProfileKey(*values[:4]), Measurement(*values[4:12]), About(*values[12:])))


def _sound(make: Callable[[], _T]) -> _T | None:
    """What ``make`` makes, or None where a damaged file gave it values that cannot be: that entry is measured
    again."""
    try:
        return make()
    except (TypeError, ValueError) as error:
        _log.warning("the profile store holds a damaged entry, which is ignored: %s", error)
        return None


def _fields(value: ProfileKey | About) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at the path: two files have the same name one after the other, not the same inode."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _is_locked(error: sqlite3.Error) -> bool:
    # The low byte is the primary code, without what SQLite adds to it (SQLITE_BUSY_SNAPSHOT and the like).
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
