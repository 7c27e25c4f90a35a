"""The journal of jobs on real processors: written before a job is sent, so that none is lost or sent twice.

    intended -> sent -> done | failed | cancelled

An entry that stays *intended* was being sent when the process died: nobody here knows whether the provider has it, so
it is never sent again by itself.

Not the profile store: that may be thrown away, and sets a damaged file aside. What was paid for may not.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hetero.errors import ArgumentError, InfeasibleError, StoreError, UnknownNameError

__all__ = ["Entry", "Journal", "default_path"]

PATIENCE_S = 10.0
"""How long a file that another process writes to is waited for."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    name TEXT PRIMARY KEY, processor TEXT NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL, job_id TEXT,
    dollars REAL NOT NULL, begun_s REAL NOT NULL, counts TEXT, reason TEXT
)
"""
_COLUMNS = "name, processor, digest, state, job_id, dollars, begun_s, counts, reason"


@dataclass(frozen=True, slots=True)
class Entry:
    """``dollars`` as estimated when it was sent; ``begun_s`` since 1970; ``counts`` a dict a circuit, once done."""

    name: str
    processor: str
    digest: str
    state: str
    job_id: str | None
    dollars: float
    begun_s: float
    counts: tuple[dict[str, int], ...] | None
    reason: str | None


def default_path() -> Path:
    """``$XDG_DATA_HOME/hetero/jobs.sqlite``: among the data of the user that must not be lost."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "hetero" / "jobs.sqlite"


class Journal:
    """One file for all processors of a user; several processes may use it at once.

    Raises (from every method):
        StoreError: the file cannot be opened, read or written.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = default_path() if path is None else Path(path)

    def intend(
        self, name: str, processor: str, digest: str, dollars: float, limit_dollars: float | None
    ) -> tuple[Entry, bool]:
        """Reserve the money for a job that is about to be sent: its entry, and True; or the entry that has this name
        already, and False. Of several processes with one name one gets True.

        Raises:
            ArgumentError: the name belongs to another job.
            InfeasibleError: with it the processor's jobs would cost more than the limit.
        """
        with self._writing() as connection:
            known = _entry(connection, name)
            if known is not None:
                if (known.processor, known.digest) != (processor, digest):
                    raise ArgumentError(
                        f"job name {name!r} belongs to another job ({known.state} on {known.processor}): the same "
                        "circuits and shots resume it; give new ones a name of their own"
                    )
                return known, False
            (spent,) = connection.execute(
                "SELECT COALESCE(SUM(dollars), 0) FROM jobs WHERE processor = ?",
                (processor,),
            ).fetchone()
            if limit_dollars is not None and spent + dollars > limit_dollars:
                raise InfeasibleError(
                    f"{processor}: ${dollars:.2f} for job {name!r} and ${spent:.2f} for those before would exceed "
                    f"spend_at_most=${limit_dollars:.2f}; nothing was sent"
                )
            connection.execute(
                "INSERT INTO jobs VALUES (?, ?, ?, 'intended', NULL, ?, ?, NULL, NULL)",
                (name, processor, digest, dollars, time.time()),
            )
            added = _entry(connection, name)
            assert added is not None, "it was written a line above"
            return added, True

    def sent(self, name: str, job_id: str) -> None:
        """An intended job: the provider has it, under this id."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'sent', job_id = ? WHERE name = ? AND state = 'intended'",
                (job_id, name),
            )

    def done(self, name: str, counts: tuple[dict[str, int], ...]) -> None:
        self._set(name, "state = 'done', counts = ?", (json.dumps(counts),))

    def failed(self, name: str, state: str, reason: str) -> None:
        self._set(name, "state = ?, reason = ?", (state, reason))

    def forget(self, name: str) -> None:
        """An intended job that the provider never got: its money is free again, and its name."""
        with self._writing() as connection:
            connection.execute("DELETE FROM jobs WHERE name = ? AND state = 'intended'", (name,))

    def entry(self, name: str) -> Entry:
        """
        Raises:
            UnknownNameError: there is none of this name.
        """
        with self._reading() as connection:
            found = _entry(connection, name)
            if found is None:
                names = [row[0] for row in connection.execute("SELECT name FROM jobs")]
                raise UnknownNameError("job", name, names)
            return found

    def entries(self, processor: str) -> tuple[Entry, ...]:
        """All jobs of a processor, the oldest first."""
        with self._reading() as connection:
            query = f"SELECT {_COLUMNS} FROM jobs WHERE processor = ? ORDER BY begun_s"
            return tuple(_of(row) for row in connection.execute(query, (processor,)))

    def _set(self, name: str, what: str, values: tuple[Any, ...]) -> None:
        with self._writing() as connection:
            connection.execute(f"UPDATE jobs SET {what} WHERE name = ?", (*values, name))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=PATIENCE_S, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous = FULL")  # on the disk before anything is sent
                connection.execute(_SCHEMA)
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"the journal of paid jobs {self.path} cannot be used: {error}") from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and nobody else in between."""
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")


def _entry(connection: sqlite3.Connection, name: str) -> Entry | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM jobs WHERE name = ?", (name,)).fetchone()
    return None if row is None else _of(row)


def _of(row: tuple[Any, ...]) -> Entry:
    name, processor, digest, state, job_id, dollars, begun_s, counts, reason = row
    found = None if counts is None else tuple(json.loads(counts))
    return Entry(name, processor, digest, state, job_id, dollars, begun_s, found, reason)
