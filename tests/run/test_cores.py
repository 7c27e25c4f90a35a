"""Cores for one process alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from needs import needs

from hetero import detect

SCRIPT = """
import os, sys
from pathlib import Path
from hetero.run.cores import bind_to_cores
held = bind_to_cores(1, Path(sys.argv[1]))
print(sorted(held.numbers) if held else None, sorted(os.sched_getaffinity(0)), flush=True)
sys.stdin.read()
"""


def started(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_two_processes_get_different_cores_and_one_that_died_gives_its_back(tmp_path: Path) -> None:
    """Each is bound to what it has claimed; who finds none is not bound; a killed one's core is free again."""
    if not hasattr(os, "sched_getaffinity") or detect.cpu().cores < len(os.sched_getaffinity(0)):
        needs("cores of its own", "this container's quota is smaller than the cores that it sees")
    cores = sorted(os.sched_getaffinity(0))
    processes = []
    try:
        said = []
        for _ in range(len(cores) + 1):
            processes.append(started(tmp_path))
            said.append(_line(processes[-1]))
        assert said[:-1] == [f"[{core}] [{core}]" for core in cores]
        assert said[-1] == f"None {cores}"
        processes[0].kill()
        processes[0].wait()
        processes.append(started(tmp_path))
        assert _line(processes[-1]) == f"[{cores[0]}] [{cores[0]}]"
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
