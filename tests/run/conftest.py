"""Puts ``plans_by_hand`` where these tests, and the processes that they start, find it."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

import pytest
from apart import Apart


@pytest.fixture
def open_apart():
    """Opens sessions whose functions run in worker processes that end with the test."""
    opener = Apart()
    yield opener
    opener.close()


@pytest.fixture
def far_engine(tmp_path, monkeypatch):
    """The engine ``far`` of ``far_device.py``, added as a third party adds one: by an entry point."""
    package = tmp_path / "far-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: far\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[hetero.devices]\nfar = far_device\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import far_device

    far_device.copies.clear()
    return far_device
