"""StarPU as one of the runtimes that overhead is measured of, where its library, a compiler and pkg-config are here.

StarPU has no binding for Python, so a few lines of C build the graph and submit it; what is measured is StarPU's own C
interface without anything of Python between two tasks.
"""

from __future__ import annotations

import atexit
import ctypes
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import accumulate
from pathlib import Path

from overhead_graphs import Parents

SOURCE = Path(__file__).with_suffix(".c")
PACKAGES = ("starpu-1.4", "starpu-1.3")
CPUS = 2


def package() -> str | None:
    """The name by which pkg-config knows the newest StarPU that is here; None where it or a compiler is missing."""
    if shutil.which("pkg-config") is None or shutil.which("cc") is None:
        return None
    known = (
        name
        for name in PACKAGES
        if not subprocess.run(["pkg-config", "--exists", name], check=False).returncode
    )
    return next(known, None)


@cache
def _library() -> ctypes.CDLL:
    """Compiled, loaded and begun once: StarPU finds out about the machine for some seconds."""
    name = package()
    assert name is not None, "asked only where StarPU is here"
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", name], check=True, capture_output=True, text=True
    )
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "overhead_starpu.so"
        command = [
            "cc",
            "-O2",
            "-shared",
            "-fPIC",
            "-o",
            str(target),
            str(SOURCE),
            *shlex.split(flags.stdout),
        ]
        subprocess.run(command, check=True)
        library = ctypes.CDLL(str(target))
    if library.begin(CPUS):
        raise RuntimeError("StarPU finds no CPU that it may use")
    atexit.register(library.end)
    return library


@contextmanager
def starpu(parents: Parents) -> Iterator[Callable[[], object]]:
    """A StarPU task a node, submitted in order with the tasks that it waits for, on two CPU workers."""
    library = _library()
    first = [0, *accumulate(map(len, parents))]
    flat = [parent for some in parents for parent in some]
    starts = (ctypes.c_int * len(first))(*first)
    others = (ctypes.c_int * max(len(flat), 1))(*flat)

    def run() -> None:
        if library.run(len(parents), starts, others):
            raise RuntimeError("StarPU does not take a task")

    yield run
