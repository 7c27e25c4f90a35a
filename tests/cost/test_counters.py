"""Energy counters: what is read, what is left out, and what a counter that wraps around has counted."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from hetero.cost.counters import Counter, counter, nvml_domains, rapl_domains

RANGE = 262_143_000_000


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)


def domain(root: Path, folder: str, name: str, microjoules: int) -> Path:
    path = root / folder
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "max_energy_range_uj").write_text(f"{RANGE}\n")
    (path / "energy_uj").write_text(f"{microjoules}\n")
    return path / "energy_uj"


def test_packages_and_memory_are_counted_once(tmp_path: Path) -> None:
    """Cores are a part of their package and psys is all of it again: neither is added."""
    package = domain(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    memory = domain(tmp_path, "intel-rapl:0:1", "dram", 500_000)
    domain(tmp_path, "intel-rapl:0:0", "core", 900_000)
    domain(tmp_path, "intel-rapl:1", "psys", 9_000_000)
    found = counter(tmp_path)
    assert found is not None
    assert found.source == "counted: package-0, dram"
    found.begin()
    package.write_text("4000000\n")
    memory.write_text("1500000\n")
    assert found.end() == pytest.approx(3.0 + 1.0)


def test_a_counter_that_wrapped_around_has_counted_on(tmp_path: Path) -> None:
    """From two joules before the end of its range to three after its beginning are five."""
    package = domain(tmp_path, "intel-rapl:0", "package-0", RANGE - 2_000_000)
    found = Counter(rapl_domains(tmp_path))
    found.begin()
    package.write_text("3000000\n")
    assert found.end() == pytest.approx(5.0)


def test_what_may_not_be_read_or_is_no_number_is_no_counter(tmp_path: Path) -> None:
    """Root only, as on most machines; or damaged."""
    domain(tmp_path, "intel-rapl:0", "package-0", 1).unlink()
    domain(tmp_path, "intel-rapl:1", "package-1", 1).write_text("none\n")
    assert counter(tmp_path) is None
    assert counter(tmp_path / "nowhere") is None


def pretend(monkeypatch: pytest.MonkeyPatch, readings: list[int], *, driver: bool = True) -> None:
    """NVML with a GPU that counts and, after it, one that is too old to."""
    module: Any = types.ModuleType("pynvml")

    class NVMLError(Exception):
        pass

    def init() -> None:
        if not driver:
            raise NVMLError("driver not loaded")

    def energy(handle: int) -> int:
        if handle == 1:
            raise NVMLError("not supported")
        return readings.pop(0)

    module.NVMLError, module.nvmlInit = NVMLError, init
    module.nvmlDeviceGetCount = lambda: 2
    module.nvmlDeviceGetHandleByIndex = lambda index: index
    module.nvmlDeviceGetTotalEnergyConsumption = energy
    monkeypatch.setitem(sys.modules, "pynvml", module)


def test_gpus_are_counted_in_millijoules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those that can; an old one is left out."""
    pretend(monkeypatch, [0, 1_000, 8_500])
    found = counter(tmp_path)
    assert found is not None
    assert found.source == "counted: GPU 0"
    found.begin()
    assert found.end() == pytest.approx(7.5)


def test_without_nvidia_s_driver_or_package_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no error."""
    assert nvml_domains() == []
    pretend(monkeypatch, [], driver=False)
    assert nvml_domains() == []
