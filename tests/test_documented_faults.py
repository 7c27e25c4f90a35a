"""The table of faults in docs/reliability.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "reliability.md"


def rows() -> list[list[str]]:
    lines = PAGE.read_text("utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ") and not line.startswith("| fault")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_every_fault_has_a_test_that_exists() -> None:
    """Each row ends with the names of its tests, and each name is a function in tests/."""
    known = {
        name
        for path in HERE.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert len(rows()) > 15
    for fault, _, tests in rows():
        named = re.findall(r"`(\w+)`", tests)
        assert named, fault
        assert set(named) <= known, (fault, set(named) - known)
