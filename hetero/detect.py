"""The CPU as this process may use it: not what the machine has, but what affinity and control groups leave of
it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hetero.cost.energy import with_power
from hetero.cost.price import with_price
from hetero.machine import Processor

__all__ = ["CpuFacts", "cgroup_cores", "cgroup_memory_bytes", "cpu", "parse_cpuinfo", "parse_meminfo"]

X86_FEATURES = frozenset(
    {"avx", "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16"}
    | {"avx_vnni_int8", "amx_tile", "amx_bf16", "amx_int8", "amx_fp16"}
)
ARM_FEATURES = frozenset({"neon", "asimd", "asimddp", "asimdhp", "sve", "sve2", "bf16", "i8mm", "sme"})
"""What decides which kernels an engine takes, and in which precision."""
_X86_VENDORS = {"AuthenticAMD": "AMD", "GenuineIntel": "Intel", "HygonGenuine": "Hygon"}
_ARM_VENDORS = {"0x41": "Arm", "0x4e": "NVIDIA", "0x51": "Qualcomm", "0x61": "Apple", "0xc0": "Ampere"}
VENDORS = frozenset({*_X86_VENDORS.values(), *_ARM_VENDORS.values()})
"""Makers of processors that a person may want to do without, also where nothing of theirs is found."""

_NO_LIMIT_BYTES = 1 << 60
"""Version 1 of control groups writes "no limit" as a number near 2**63."""


@dataclass(frozen=True, slots=True)
class CpuFacts:
    """Who made it, what it calls itself, and the features that matter to engines, sorted."""

    vendor: str
    model: str
    features: tuple[str, ...]


def cpu(root: Path = Path("/")) -> Processor:
    """The CPU with the cores and the memory that this process may use.

    Cores are the fewest of the affinity mask and the control group's quota, rounded down, at least one;
    memory is the smaller of what is built in and the control group's limit, None where neither can be read.
    Watts and price are modelled, and say so. ``root`` is where ``/proc`` and ``/sys`` are looked for.
    """
    facts = parse_cpuinfo(_text(root / "proc/cpuinfo")) or _facts_of_platform()
    quota = cgroup_cores(root)
    cores = _affinity() if quota is None else min(_affinity(), max(1, int(quota)))
    memory = [_physical_memory_bytes(root), cgroup_memory_bytes(root)]
    processor = Processor(
        name="cpu",
        kind="cpu",
        cores=cores,
        memory_bytes=min((limit for limit in memory if limit is not None), default=None),
        vendor=facts.vendor,
        model=facts.model,
        features=facts.features,
    )
    return with_price(with_power(processor))


def parse_cpuinfo(text: str) -> CpuFacts | None:
    """Facts from the text of Linux's ``/proc/cpuinfo``, of x86 or Arm; None where it holds none.

    Clouds hide model names ("AMD EPYC"), so family and model numbers are part of the model: profiles of one
    generation must not be used on another.

    >>> parse_cpuinfo('''vendor_id : AuthenticAMD
    ... cpu family : 25
    ... model : 1
    ... model name : AMD EPYC
    ... flags : fpu avx2 sse2 avx''')
    CpuFacts(vendor='AMD', model='AMD EPYC (family 25, model 1)', features=('avx', 'avx2'))
    """
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())  # the first CPU speaks for all of them
    features = tuple(
        sorted(
            (X86_FEATURES | ARM_FEATURES).intersection(
                (fields.get("flags") or fields.get("Features", "")).split()
            )
        )
    )
    if "vendor_id" in fields:
        vendor = _X86_VENDORS.get(fields["vendor_id"], fields["vendor_id"])
        numbers = f"family {fields.get('cpu family', '?')}, model {fields.get('model', '?')}"
        return CpuFacts(vendor, f"{fields.get('model name', vendor)} ({numbers})", features)
    if "CPU implementer" in fields:
        code = fields["CPU implementer"]
        vendor = _ARM_VENDORS.get(code, f"implementer {code}")
        return CpuFacts(
            vendor, fields.get("model name", f"{vendor} part {fields.get('CPU part', '?')}"), features
        )
    return None


def parse_meminfo(text: str) -> int | None:
    """Bytes of memory from the text of Linux's ``/proc/meminfo``.

    >>> parse_meminfo("MemTotal:  2048 kB")
    2097152
    """
    for line in text.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return None


def cgroup_cores(root: Path = Path("/")) -> float | None:
    """Cores' worth of CPU time that the control groups grant, None without a limit. The tightest group
    counts."""
    quotas: list[float] = []
    for folder in _cgroup_folders(root, "cpu"):
        limit = _text(folder / "cpu.max").split()  # version 2: "150000 100000" or "max 100000"
        if not limit:  # version 1: two files, a quota of -1 is none
            limit = [
                *_text(folder / "cpu.cfs_quota_us").split(),
                *_text(folder / "cpu.cfs_period_us").split(),
            ]
        if len(limit) == 2 and limit[0].isdigit() and int(limit[1]) > 0:
            quotas.append(int(limit[0]) / int(limit[1]))
    return min(quotas, default=None)


def cgroup_memory_bytes(root: Path = Path("/")) -> int | None:
    """Bytes that the control groups grant, None without a limit. The tightest group counts."""
    limits: list[int] = []
    for folder in _cgroup_folders(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _text(folder / name).strip()
            if text.isdigit() and int(text) < _NO_LIMIT_BYTES:
                limits.append(int(text))
    return min(limits, default=None)


def _cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control groups for a controller and of all the groups they are in.

    A line of ``/proc/self/cgroup`` is ``number:controllers:path``; version 2 has number 0 and no controllers.
    Inside a container the path may be the host's, of which nothing is mounted: the groups above it are then
    what there is.
    """
    base = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            mounts = [base, base / "unified"]
        elif controller in controllers.split(","):
            mounts = [base / controllers, base / controller]
        else:
            continue
        inside = Path(path.lstrip("/"))
        for mount in mounts:
            for group in (inside, *inside.parents):
                yield mount / group


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS has no affinity; Windows has none by default


def _physical_memory_bytes(root: Path) -> int | None:
    found = parse_meminfo(_text(root / "proc/meminfo"))
    if found is None and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return found


def _facts_of_platform() -> CpuFacts:
    """What the standard library knows where there is no ``/proc`` (macOS, Windows)."""
    machine, model = platform.machine().lower(), platform.processor() or platform.machine()
    arm = machine in ("arm64", "aarch64")
    if platform.system() == "Darwin" and arm:
        return CpuFacts("Apple", f"Apple {platform.machine()}", ("asimd", "neon"))
    known = [
        vendor for code, vendor in _X86_VENDORS.items() if code.lower() in model.lower() or vendor in model
    ]
    return CpuFacts(known[0] if known else "unknown", model, ("asimd", "neon") if arm else ())


def _text(path: Path) -> str:
    """The text of a file of the kernel's, empty where it is missing or not ours to read."""
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
