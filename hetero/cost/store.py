"""Profiles and records on disk: what was measured once is not measured again.

One SQLite file, shared by as many processes as like. Whatever happens to it, planning goes on: a locked file
is waited for, a corrupted one is set aside and what can be read of it is taken over, and what cannot be
written for now (disk full, read-only) is kept in memory and written later.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from hetero.cost.database import Database, Write
from hetero.cost.measurement import NOTHING_KNOWN, About, Measurement, ProfileKey, Row
from hetero.errors import StoreError
from hetero.files import cache_directory, write_atomically

__all__ = ["Measurement", "ProfileKey", "ProfileStore", "Row"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

# The version is in the tables' names, not in the file: two versions of hetero can share one file.
SCHEMA = """
CREATE TABLE IF NOT EXISTS profile_v2 (
    op TEXT, device TEXT, variant TEXT, specs TEXT,
    seconds REAL NOT NULL, spread_s REAL NOT NULL, low_s REAL NOT NULL, high_s REAL NOT NULL,
    repetitions INTEGER NOT NULL, cold_s REAL NOT NULL, error REAL, measured_at REAL NOT NULL, evicted_s REAL,
    op_name TEXT, kind TEXT, device_name TEXT, engine TEXT, flops REAL, nbytes REAL,
    PRIMARY KEY (op, device, variant, specs)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record_v1 (
    kind TEXT, key TEXT, value TEXT NOT NULL, written_at REAL NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID;
"""
_MEASURED = "seconds, spread_s, low_s, high_s, repetitions, cold_s, error, measured_at, evicted_s"
_PROFILE = f"op, device, variant, specs, {_MEASURED}, op_name, kind, device_name, engine, flops, nbytes"
_PUT_PROFILE = f"INSERT OR REPLACE INTO profile_v2 ({_PROFILE}) VALUES ({', '.join('?' * 19)})"
_PUT_RECORD = "INSERT OR REPLACE INTO record_v1 (kind, key, value, written_at) VALUES (?, ?, ?, ?)"


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
        self.path = Path(path) if path is not None else _path_in_cache()
        self._database = Database(self.path, SCHEMA, patience_s=patience_s, clock=clock, sleep=sleep)
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
            query = f"SELECT {_MEASURED} FROM profile_v2 WHERE op=? AND device=? AND variant=? AND specs=?"
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

    def records(self, kind: str) -> dict[str, dict[str, Any]]:
        """All records of a kind by their keys; none where the file cannot be read."""
        with self._lock:
            was_usable = self._database.usable
            try:
                found = dict(self._database.read("SELECT key, value FROM record_v1 WHERE kind=?", (kind,)))
            except StoreError as error:
                _report(was_usable, "%s; going on without it", error)
                found = {}
            found |= {key: text for (own, key), text in self._records.items() if own == kind}
            sound = {key: _sound(lambda: dict(json.loads(text))) for key, text in found.items()}  # noqa: B023
            return {key: value for key, value in sound.items() if value is not None}

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
            query = f"SELECT {_PROFILE} FROM profile_v2 ORDER BY measured_at DESC, op, variant, specs"
            found = self._database.read(query)
            stored = [row for values in found if (row := _row(values)) and row.key not in self._profiles]
            return [*self._profiles.values(), *stored]

    def prune(self, *, before: float | None = None, keep_devices: Collection[str] | None = None) -> int:
        """Drop measurements older than ``before`` (seconds since the epoch) and those of devices whose
        fingerprint is not in ``keep_devices``; the number that went. Without either, nothing goes. Records as old go
        with them: what they say is found out again where it is needed.

        Raises:
            StoreError: the file cannot be written.
        """

        def goes(row: Row) -> bool:
            old = before is not None and row.measurement.measured_at < before
            return old or (keep_devices is not None and row.key.device not in keep_devices)

        with self._lock:
            gone = [row.key for row in self.rows() if goes(row)]
            delete = "DELETE FROM profile_v2 WHERE op=? AND device=? AND variant=? AND specs=?"
            writes: list[Write] = [(delete, (k.op, k.device, k.variant, k.specs)) for k in gone]
            if before is not None:
                writes.append(("DELETE FROM record_v1 WHERE written_at < ?", (before,)))
            self._database.write(writes)
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
            StoreError: the file cannot be read or is not an export of profiles, or the store cannot be written.
        """
        try:
            data = json.loads(Path(path).read_text("utf-8"))
            rows = [
                Row(ProfileKey(**e["key"]), Measurement.from_dict(e["measurement"]), About(**e["about"]))
                for e in data["profiles"]
            ]
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}") from error
        except KeyError as error:
            raise StoreError(f"{path}: not an export of profiles: it has no {error}") from error
        except (ValueError, TypeError) as error:
            raise StoreError(f"{path}: not an export of profiles: {type(error).__name__}: {error}") from error
        with self._lock:
            taken = [row for row in rows if self._newer(row)]
            self._database.write(map(_put, taken))
            return len(taken)

    def close(self) -> None:
        """Write what is still waiting, and let go of the file. The store opens it again when it is used
        again."""
        with self._lock:
            if self._profiles or self._records:
                self._flush()
            self._database.close()

    def _newer(self, row: Row) -> bool:
        mine = self.get(row.key)
        return mine is None or mine.measured_at < row.measurement.measured_at

    def _flush(self) -> None:
        """Try to write what is waiting; keep it where that fails."""
        writes = [_put(row) for row in self._profiles.values()]
        writes += [
            (_PUT_RECORD, (kind, key, text, time.time())) for (kind, key), text in self._records.items()
        ]
        was_usable = self._database.usable
        try:
            self._database.write(writes)
        except StoreError as error:
            _report(was_usable, "%s; entries are kept in memory for now", error)
        else:
            self._profiles.clear()
            self._records.clear()

    def _read_or_none(self, query: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        was_usable = self._database.usable
        try:
            found = self._database.read(query, values)
        except StoreError as error:
            _report(was_usable, "%s; going on without it", error)
            return None
        return found[0] if found else None


def _path_in_cache() -> Path:
    try:
        return cache_directory() / "profiles.sqlite"
    except OSError as error:
        _log.warning("no cache directory (%s): profiles of this process are kept in memory only", error)
        return Path(":memory:")  # SQLite's name for a database without a file


def _report(loud: bool, message: str, error: StoreError) -> None:
    """Say once that the file cannot be used, not for every entry."""
    (_log.warning if loud else _log.info)(message, error)


def _put(row: Row) -> Write:
    k, m, a = row.key, row.measurement, row.about
    measured = (
        m.seconds,
        m.spread_s,
        m.low_s,
        m.high_s,
        m.repetitions,
        m.cold_s,
        m.error,
        m.measured_at,
        m.evicted_s,
    )
    about = (a.op, a.kind, a.device, a.engine, a.flops, a.nbytes)
    return _PUT_PROFILE, (k.op, k.device, k.variant, k.specs, *measured, *about)


def _row(values: tuple[Any, ...]) -> Row | None:
    return _sound(lambda: Row(ProfileKey(*values[:4]), Measurement(*values[4:13]), About(*values[13:])))


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
