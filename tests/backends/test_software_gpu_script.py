"""The script that installs the software GPU: it says why where it cannot."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest
import software_gpu
from needs import needs

SCRIPT = Path(__file__).parents[2] / "scripts" / "install_software_gpu.sh"


def install(folder: Path, apt_get: str) -> subprocess.CompletedProcess[str]:
    """Run the script with an ``apt-get`` of our own."""
    try:
        codename = platform.freedesktop_os_release().get("VERSION_CODENAME")
    except OSError:
        codename = None
    if codename != "bookworm":
        needs("Debian 12", "scripts/install_software_gpu.sh is made for it")
    tools = folder / "tools"
    tools.mkdir()
    (tools / "apt-get").write_text(f"#!/bin/sh\n{apt_get}\n")
    (tools / "apt-get").chmod(0o755)
    return subprocess.run(
        ["bash", str(SCRIPT), str(folder / "gpu")],
        env={"PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("apt_get", "reason"),
    [
        ("exit 0", "apt has no source for 'bookworm main'"),
        (
            'case "$*" in *indextargets*) echo "bookworm main http://mirror.invalid/debian/";; '
            "*) echo 'E: could not connect' >&2; exit 100;; esac",
            "no Debian mirror with bookworm-backports is reachable (E: could not connect)",
        ),
        (
            'case "$*" in *indextargets*) echo "bookworm main http://mirror.invalid/debian/";; esac',
            "apt finds no way to install mesa-vulkan-drivers",
        ),
    ],
)
def test_it_ends_with_one_line_of_reason(tmp_path: Path, apt_get: str, reason: str) -> None:
    """Status 2, one line that names the reason, and no half-made installation that a later run would take."""
    result = install(tmp_path, apt_get)
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("software GPU: cannot be installed here: ")
    assert reason in line
    assert not (tmp_path / "gpu" / "env.sh").exists()


def test_a_second_run_installs_nothing(tmp_path: Path) -> None:
    """Where it is installed the script prints what to set, and asks no mirror."""
    (tmp_path / "gpu").mkdir()
    (tmp_path / "gpu" / "env.sh").write_text("export VK_ICD_FILENAMES=here\n")
    result = install(tmp_path, "echo 'apt-get was called' >&2; exit 1")
    assert result.returncode == 0
    assert "export VK_ICD_FILENAMES=here" in result.stdout


def test_it_names_no_mirror() -> None:
    """Packages come from where this machine's own apt is configured to fetch them."""
    assert "://" not in SCRIPT.read_text("utf-8")


def test_its_environment_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests find the variables that the script wrote, a library path of the user's kept behind."""
    (tmp_path / "env.sh").write_text(
        'export VK_ICD_FILENAMES="/gpu/lvp_icd.json"\n'
        'export LD_LIBRARY_PATH="/gpu/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n'
        "export ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER=1\n"
    )
    monkeypatch.setattr(software_gpu, "FOLDER", tmp_path)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/mine")
    assert software_gpu.environment() == {
        "VK_ICD_FILENAMES": "/gpu/lvp_icd.json",
        "LD_LIBRARY_PATH": "/gpu/lib:/mine",
        "ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER": "1",
    }
