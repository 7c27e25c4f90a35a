"""Real processes write and read one profile store at once, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hetero.cost.store import ProfileStore

PROCESSES, ENTRIES = 4, 25

WRITER = """
import sys
from hetero.cost.measurement import Measurement, ProfileKey
from hetero.cost.store import ProfileStore
path, own, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with ProfileStore(path) as store:
    for number in range(count):
        seconds = 0.001 * (number + 1)
        found = Measurement(seconds, 0.0, seconds, seconds, 9, 0.1, 0.0, float(number))
        store.put(ProfileKey(f"{own}-{number}", "device", "fp32", "x"), found)
        store.put(ProfileKey(f"shared-{number}", "device", "fp32", "x"), found)
        assert store.get(ProfileKey(f"shared-{number}", "device", "fp32", "x")) is not None
"""


def test_many_processes_use_one_store_at_once(tmp_path: Path) -> None:
    """Each finds what it wrote, entries of all are there in the end, and shared keys hold whole entries."""
    path = tmp_path / "profiles.sqlite"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(own), str(ENTRIES)])
        for own in range(PROCESSES)
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0] * PROCESSES
    with ProfileStore(path) as store:
        rows = store.rows()
    assert len(rows) == (PROCESSES + 1) * ENTRIES
    for row in rows:
        number = int(row.key.op.rpartition("-")[2])
        assert row.measurement.seconds == 0.001 * (number + 1)
