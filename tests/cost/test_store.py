"""The profile store keeps what it is given, whatever happens to its file."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest

from hetero.cost.database import _transaction
from hetero.cost.measurement import About, Row
from hetero.cost.store import ProfileStore
from hetero.errors import ArgumentError, StoreError

from .fakes import Clock, key, measurement, store_in

LOCK_AND_WAIT = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
db.execute("ROLLBACK")
"""
WRITE_MANY = """
import sys
from hetero.cost.measurement import Measurement, ProfileKey
from hetero.cost.database import _transaction
from hetero.cost.store import ProfileStore
with ProfileStore(sys.argv[1]) as store:
    for i in range(100):
        store.put(ProfileKey(f"{sys.argv[2]}{i}", "d", "v", "s"), Measurement(1.0, 0.1, 0.9, 1.1, 3, 2.0))
"""


def test_what_is_put_is_got_by_another_store(tmp_path: Path) -> None:
    """A measurement survives closing, with an infinite and a missing error too."""
    with store_in(tmp_path) as store:
        store.put(key(1), measurement(error=math.inf))
        store.put(key(2), measurement(error=None))
    with store_in(tmp_path) as store:
        assert store.get(key(1)) == measurement(error=math.inf)
        assert store.get(key(2)) == measurement(error=None)
        assert store.get(key(3)) is None


def test_every_part_of_the_key_tells_entries_apart(tmp_path: Path) -> None:
    """Another op, device, variant or spec has an entry of its own."""
    with store_in(tmp_path) as store:
        store.put(key(), measurement())
        for part in fields(key()):
            assert store.get(replace(key(), **{part.name: "another"})) is None


def test_records_are_kept_by_kind_and_key(tmp_path: Path) -> None:
    """A record comes back as it went in, and only under its kind."""
    with store_in(tmp_path) as store:
        store.put_record("link", "k", {"put": [1e-4, 1e9]})
        store.put_record("link", "k", {"put": [2e-4, 1e9]})
    with store_in(tmp_path) as store:
        assert store.get_record("link", "k") == {"put": [2e-4, 1e9]}
        assert store.get_record("fit", "k") is None


def test_a_corrupted_file_is_kept_aside_and_rebuilt(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Garbage in place of the database is renamed, reported, and the store works on."""
    path = tmp_path / "profiles.sqlite"
    path.write_bytes(b"this is not a database" * 100)
    with caplog.at_level(logging.WARNING), store_in(tmp_path) as store:
        assert store.get(key()) is None
        store.put(key(), measurement())
    assert (tmp_path / "profiles.sqlite.corrupt-1").read_bytes().startswith(b"this is not a database")
    assert "corrupted" in caplog.text
    with store_in(tmp_path) as store:
        assert store.get(key()) == measurement()


def test_a_second_corruption_does_not_overwrite_the_first(tmp_path: Path) -> None:
    """Each broken file gets a number of its own."""
    path = tmp_path / "profiles.sqlite"
    for text in (b"first" * 1000, b"second" * 1000):
        path.write_bytes(text)
        with store_in(tmp_path) as store:
            store.put(key(), measurement())
    assert (tmp_path / "profiles.sqlite.corrupt-1").read_bytes().startswith(b"first")
    assert (tmp_path / "profiles.sqlite.corrupt-2").read_bytes().startswith(b"second")


def test_what_is_readable_of_a_corrupted_file_is_taken_over(tmp_path: Path) -> None:
    """A damaged page costs the entries behind it, not those before it, and nothing written afterwards."""
    with store_in(tmp_path) as store:
        for i in range(300):
            store.put(key(i), measurement())
    path = tmp_path / "profiles.sqlite"
    damaged = bytearray(path.read_bytes())
    damaged[-4096 * 3 :] = b"\xff" * (4096 * 3)
    path.write_bytes(damaged)
    with store_in(tmp_path) as store:
        store.put(key(1000), measurement())
        for i in range(300):
            store.get(key(i))
        rows = store.rows()
        assert store.get(key(1000)) == measurement()
    assert 1 < len(rows) <= 301
    assert (tmp_path / "profiles.sqlite.corrupt-1").exists()


def test_a_database_of_something_else_is_set_aside(tmp_path: Path) -> None:
    """A table of our name with other columns is no reason to fail."""
    with sqlite3.connect(tmp_path / "profiles.sqlite") as db:
        db.execute("CREATE TABLE profile_v2 (a, b)")
    db.close()
    with store_in(tmp_path) as store:
        store.put(key(), measurement())
        assert store.get(key()) == measurement()
    assert (tmp_path / "profiles.sqlite.corrupt-1").exists()


def test_a_damaged_entry_is_measured_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An entry with impossible numbers is as good as none."""
    with store_in(tmp_path) as store:
        store.put(key(1), measurement())
        store.put(key(2), measurement())
    with sqlite3.connect(tmp_path / "profiles.sqlite") as db:
        db.execute("UPDATE profile_v2 SET seconds = -1 WHERE op = 'op1'")
    db.close()
    with caplog.at_level(logging.WARNING), store_in(tmp_path) as store:
        assert store.get(key(1)) is None
        assert [row.key for row in store.rows()] == [key(2)]
    assert "damaged" in caplog.text


def test_a_file_that_was_replaced_is_opened_again(tmp_path: Path) -> None:
    """When another process sets the file aside, the next write goes into the new one."""
    first, second = store_in(tmp_path), store_in(tmp_path)
    first.put(key(1), measurement())
    for name in tmp_path.glob("profiles.sqlite*"):
        name.rename(tmp_path / f"gone-{name.name}")
    second.put(key(2), measurement())
    first.put(key(3), measurement())
    assert second.get(key(3)) == measurement()
    first.close()
    second.close()


def test_a_locked_file_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A write while another process holds the lock happens once the lock is gone."""
    with store_in(tmp_path) as store:
        store.put(key(1), measurement())
    with _locked(tmp_path / "profiles.sqlite") as holder:

        def sleep(seconds: float) -> None:
            assert holder.stdin is not None
            holder.stdin.write("done\n")
            holder.stdin.flush()
            holder.wait()

        with caplog.at_level(logging.WARNING), store_in(tmp_path, sleep=sleep) as store:
            store.put(key(2), measurement())
    assert "locked by another process" in caplog.text
    with store_in(tmp_path) as store:
        assert store.get(key(2)) == measurement()


def test_what_a_lock_keeps_out_is_kept_and_written_later(tmp_path: Path) -> None:
    """After its patience a store goes on with the entry in memory, and writes it when it can."""
    clock = Clock()
    with store_in(tmp_path) as store:
        store.put(key(1), measurement())
    store = store_in(tmp_path, clock=clock, sleep=lambda seconds: clock.sleep(30))
    with _locked(tmp_path / "profiles.sqlite"):
        store.put(key(2), measurement())
        waited = clock.now
        store.put_record("link", "k", {"a": 1})
        assert clock.now == waited
        assert store.get(key(2)) == measurement()
        assert store.get_record("link", "k") == {"a": 1}
    store.put(key(3), measurement())
    store.close()
    with store_in(tmp_path) as other:
        assert [other.get(key(i)) for i in (1, 2, 3)] == [measurement()] * 3
        assert other.get_record("link", "k") == {"a": 1}


def _locked(path: Path) -> subprocess.Popen[str]:
    """A process that holds the file's lock until it is told, or left."""
    holder = subprocess.Popen(
        [sys.executable, "-c", LOCK_AND_WAIT, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "locked\n"
    return holder


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    """Nothing is lost between two processes that fill the same file, from nothing."""
    path = tmp_path / "profiles.sqlite"
    writers = [subprocess.Popen([sys.executable, "-c", WRITE_MANY, str(path), name]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    with ProfileStore(path) as store:
        assert len(store.rows()) == 200


def test_two_processes_find_the_corruption_at_once(tmp_path: Path) -> None:
    """One of them sets the file aside, the other finds the new one; nothing that either writes is lost."""
    path = tmp_path / "profiles.sqlite"
    path.write_bytes(b"not a database" * 1000)
    writers = [subprocess.Popen([sys.executable, "-c", WRITE_MANY, str(path), name]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    with ProfileStore(path) as store:
        assert len(store.rows()) == 200
    assert [found.name for found in tmp_path.glob("*.corrupt-*")] == ["profiles.sqlite.corrupt-1"]


def test_a_killed_process_leaves_whole_entries(tmp_path: Path) -> None:
    """What was put before the kill is there, and the file is sound."""
    path = tmp_path / "profiles.sqlite"
    endless = WRITE_MANY.replace("range(100)", "itertools.count()").replace(
        "import sys", "import itertools, sys"
    )
    with subprocess.Popen(
        [sys.executable, "-c", endless + "        print(flush=True)\n", str(path), "a"],
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        for _ in range(20):
            writer.stdout.readline()
        writer.kill()
    with ProfileStore(path) as store:
        assert len(store.rows()) >= 20
    assert list(tmp_path.glob("*.corrupt-*")) == []


def test_a_full_disk_costs_nothing_but_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With no room left entries stay usable in memory; what was there before is still there."""
    with store_in(tmp_path) as store:
        store.put(key(0), measurement())
        _limit_pages(store)
        with caplog.at_level(logging.WARNING):
            for i in range(1, 200):
                store.put(key(i), measurement())
        assert caplog.text.count("kept in memory") == 1
        assert all(store.get(key(i)) == measurement() for i in range(200))
        assert len(store.rows()) == 200
    with store_in(tmp_path) as store:
        assert store.get(key(0)) == measurement()


def _limit_pages(store: ProfileStore) -> None:
    """SQLite's own way to a full disk: no page more than there are."""
    open_ = store._database._open

    def full() -> sqlite3.Connection:
        connection = open_()
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    store._database._open = full  # type: ignore[method-assign]


def test_a_read_only_folder_is_worked_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that cannot be opened does not stop planning."""
    store = ProfileStore(tmp_path / "missing folder" / "profiles.sqlite")
    with caplog.at_level(logging.WARNING):
        store.put(key(), measurement())
    assert store.get(key()) == measurement()
    with pytest.raises(StoreError, match="cannot be used"):
        store.export(tmp_path / "profiles.json")
    store.close()


def test_no_place_for_a_cache_means_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the cache directory cannot be made, profiles live as long as the process."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HETERO_CACHE", str(tmp_path / "file" / "cache"))
    with ProfileStore() as store:
        store.put(key(), measurement())
        assert store.get(key()) == measurement()
        assert len(store.rows()) == 1


def test_an_interrupted_transaction_leaves_no_trace(tmp_path: Path) -> None:
    """Ctrl-C between two writes of one transaction takes back the first."""
    with store_in(tmp_path) as store:
        store.put(key(9), measurement())

        def interrupted() -> Iterator[tuple[str, tuple[object, ...]]]:
            yield "DELETE FROM profile_v2", ()
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            _transaction(store._database._open(), interrupted())
        assert [row.key for row in store.rows()] == [key(9)]


def test_export_and_import_carry_everything(tmp_path: Path) -> None:
    """An export read by an empty store gives the same rows."""
    about = About("read", "onnx", "cpu/openvino", "openvino", 1e9, 2e6)
    with store_in(tmp_path) as store:
        store.put(key(1), measurement(error=math.inf), about)
        store.put(key(2), measurement(error=None))
        assert store.export(tmp_path / "profiles.json") == 2
        rows = store.rows()
    assert Row(key(1), measurement(error=math.inf), about) in rows
    with ProfileStore(tmp_path / "other.sqlite") as other:
        assert other.import_(tmp_path / "profiles.json") == 2
        assert other.rows() == rows


def test_import_keeps_the_newer_of_two(tmp_path: Path) -> None:
    """An import does not replace what was measured after it."""
    with store_in(tmp_path) as store:
        store.put(key(1), measurement(0.01, at=10))
        store.put(key(2), measurement(0.01, at=30))
        store.export(tmp_path / "profiles.json")
        store.put(key(1), measurement(0.02, at=20))
        store.put(key(2), measurement(0.02, at=20))
        assert store.import_(tmp_path / "profiles.json") == 1
        assert store.get(key(1)) == measurement(0.02, at=20)
        assert store.get(key(2)) == measurement(0.01, at=30)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"profiles": [{}]}', '{"profiles": [{"key": {"op": 1}, "measurement": {}, "about": {}}]}'],
)
def test_importing_something_else_is_an_error_and_changes_nothing(tmp_path: Path, text: str) -> None:
    """A file that is not an export is named, and the store stays as it was."""
    (tmp_path / "bad.json").write_text(text)
    with store_in(tmp_path) as store:
        store.put(key(), measurement())
        with pytest.raises(StoreError, match=r"bad\.json: not an export") as refused:
            store.import_(tmp_path / "bad.json")
        assert "KeyError" not in str(refused.value)
        assert len(store.rows()) == 1


def test_export_to_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export that cannot be written is an error, and the file that stood there is whole."""
    target = tmp_path / "profiles.json"
    target.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with store_in(tmp_path) as store:
        store.put(key(), measurement())
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="No space left"):
            store.export(target)
    assert target.read_text() == "old"
    assert list(tmp_path.glob(".profiles.json*")) == []


def test_an_export_is_plain_json(tmp_path: Path) -> None:
    """Other tools can read it: no NaN and no Infinity, which JSON does not have."""
    with store_in(tmp_path) as store:
        store.put(key(), measurement(error=math.inf))
        store.export(tmp_path / "profiles.json")

    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads((tmp_path / "profiles.json").read_text(), parse_constant=refuse)


def test_prune_drops_the_old_and_the_foreign(tmp_path: Path) -> None:
    """Only what is older than asked, or of a device that is not to be kept, goes."""
    with store_in(tmp_path) as store:
        store.put(key(1), measurement(at=10))
        store.put(key(2), measurement(at=20))
        store.put(key(3, device="old engine"), measurement(at=30))
        assert store.prune() == 0
        assert store.prune(before=15) == 1
        assert store.prune(keep_devices=["device"]) == 1
        assert [row.key for row in store.rows()] == [key(2)]


def test_prune_by_age_drops_records_too(tmp_path: Path) -> None:
    """Else they would be all that a store grows by; by device they cannot be told apart, and stay."""
    with store_in(tmp_path) as store:
        store.put_record("offers", "old", {"x": 1})
        assert store.prune(keep_devices=["device"]) == 0
        assert store.records("offers") == {"old": {"x": 1}}
        store.prune(before=time.time() - 60)
        assert store.get_record("offers", "old") == {"x": 1}
        store.prune(before=time.time() + 60)
        assert store.get_record("offers", "old") is None


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1.0])
def test_a_time_that_cannot_be_is_refused(seconds: float) -> None:
    """NaN, infinite and negative seconds never reach the store."""
    with pytest.raises(ArgumentError, match="seconds"):
        measurement(seconds)
