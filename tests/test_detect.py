"""The CPU as this process may use it, from the texts of machines that are not here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hetero.detect import cgroup_cores, cgroup_memory_bytes, cpu, parse_cpuinfo

SAPPHIRE_RAPIDS = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8480C
flags\t\t: fpu sse avx avx2 fma avx512f avx512_vnni avx512_bf16 avx512_fp16 amx_bf16 amx_tile amx_int8 ht

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: another
flags\t\t: fpu
"""
GRAVITON = """processor\t: 0
BogoMIPS\t: 2100.00
Features\t: fp asimd evtstrm asimdhp asimddp sve i8mm bf16
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: 0xd40
"""


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_an_x86_cpu() -> None:
    """Vendor, model with its numbers, and the features that engines ask for, sorted; the first core speaks for all."""
    facts = parse_cpuinfo(SAPPHIRE_RAPIDS)
    assert facts is not None
    assert facts.vendor == "Intel"
    assert facts.model == "Intel(R) Xeon(R) Platinum 8480C (family 6, model 143)"
    assert {"amx_bf16", "amx_int8", "amx_tile", "avx512_vnni", "avx512_fp16"} <= set(facts.features)
    assert "ht" not in facts.features
    assert list(facts.features) == sorted(facts.features)


def test_an_arm_cpu() -> None:
    """Arm has other fields: the implementer's number is the vendor."""
    facts = parse_cpuinfo(GRAVITON)
    assert facts is not None
    assert facts.vendor == "Arm"
    assert facts.model == "Arm part 0xd40"
    assert facts.features == ("asimd", "asimddp", "asimdhp", "bf16", "i8mm", "sve")


def test_no_cpuinfo_is_no_fact() -> None:
    """A text without a vendor is left to the platform's own facts."""
    assert parse_cpuinfo("") is None


def test_a_version_2_quota_counts_at_every_level(tmp_path: Path) -> None:
    """The tightest of a group and the groups around it holds; max is no limit."""
    root = machine(
        tmp_path,
        {
            "proc/self/cgroup": "0::/pod/container\n",
            "sys/fs/cgroup/pod/container/cpu.max": "max 100000\n",
            "sys/fs/cgroup/pod/container/memory.max": "4000000000\n",
            "sys/fs/cgroup/pod/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/pod/memory.max": "3000000000\n",
            "sys/fs/cgroup/memory.max": "max\n",
        },
    )
    assert cgroup_cores(root) == 1.5
    assert cgroup_memory_bytes(root) == 3_000_000_000


def test_a_version_1_quota(tmp_path: Path) -> None:
    """Two files make a quota; -1 and the huge number are no limits."""
    root = machine(
        tmp_path,
        {
            "proc/self/cgroup": "3:memory:/box\n2:cpu,cpuacct:/box\n",
            "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "250000\n",
            "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/box/memory.limit_in_bytes": "2000000000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert cgroup_cores(root) == 2.5
    assert cgroup_memory_bytes(root) == 2_000_000_000


def test_a_container_whose_group_is_not_mounted(tmp_path: Path) -> None:
    """Where the path is the host's, the mounted root is the container's own group."""
    root = machine(
        tmp_path,
        {"proc/self/cgroup": "0::/docker/abc\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"},
    )
    assert cgroup_cores(root) == 0.5


def test_no_control_groups_is_no_limit(tmp_path: Path) -> None:
    """macOS, Windows and plain machines have none."""
    assert cgroup_cores(tmp_path) is None
    assert cgroup_memory_bytes(tmp_path) is None


@pytest.mark.parametrize(("quota", "cores"), [("350000 100000", 3), ("50000 100000", 1), ("max 100000", 6)])
def test_cores_are_what_affinity_and_quota_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int
) -> None:
    """The smaller of both counts, the quota rounded down, never below one."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    root = machine(
        tmp_path,
        {
            "proc/cpuinfo": SAPPHIRE_RAPIDS,
            "proc/meminfo": "MemTotal:       16000000 kB\n",
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/cpu.max": quota,
            "sys/fs/cgroup/memory.max": "8000000000",
        },
    )
    found = cpu(root)
    assert (found.name, found.kind, found.cores, found.vendor) == ("cpu", "cpu", cores, "Intel")
    assert found.memory_bytes == 8_000_000_000
    assert found.power_source.startswith("modelled: 350 W")
    assert found.price_source.startswith("modelled")
    assert found.dollars_per_hour > 0


def test_a_machine_without_proc_still_has_a_cpu(tmp_path: Path) -> None:
    """What the standard library knows is enough elsewhere."""
    found = cpu(tmp_path)
    assert found.cores >= 1
    assert found.model


def test_this_machine() -> None:
    """The CPU that runs this test can be described, with no more cores than there are."""
    found = cpu()
    assert 1 <= found.cores <= (os.cpu_count() or 1)
    assert found.memory_bytes is None or found.memory_bytes > 1 << 20
