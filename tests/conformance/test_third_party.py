"""A device of somebody else's package joins by its entry point."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "thirdparty"
"""A package as an installer leaves it: a module, and a ``.dist-info`` folder with the entry point."""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(PACKAGE), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        timeout=120,
        check=False,
    )


def test_it_is_listed_where_it_is_installed() -> None:
    """Its device is among the known ones, without its engine being named anywhere in hetero."""
    script = "import hetero as ht; print(*ht.devices(), sep='\\n')"
    assert "abacus0/abacus: available" in run("-c", script).stdout


@pytest.mark.timeout(150)
def test_it_passes_the_conformance_suite() -> None:
    """The suite that hetero installs runs it by name, and it passes."""
    result = run("-m", "hetero.conformance", "abacus0/abacus")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "FAILED" not in result.stdout
