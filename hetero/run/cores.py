"""Cores of this computer for one process alone: claimed by a lock that the system gives back when the process ends.

Ray counts cores but does not say which ones an actor has. Processes that hetero starts on one computer, of whatever
job and user, agree by locked files, one a core.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hetero import detect

__all__ = ["Cores", "bind_to_cores"]


class Cores:
    """Cores that this process has claimed; held until it is closed or the process ends."""

    def __init__(self, numbers: Sequence[int], files: Sequence[int]) -> None:
        self.numbers, self._files = tuple(numbers), list(files)

    def close(self) -> None:
        while self._files:
            os.close(self._files.pop())


def bind_to_cores(count: int, folder: Path | None = None) -> Cores | None:
    """Bind this process, with the threads that it has and will have, to ``count`` cores that no other one has claimed.

    None, and nothing bound, where too few are free, or where a container's quota is smaller than the cores that it
    sees: such cores are not its own, and every container would choose the same ones.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    if not 0 < count <= len(allowed) or detect.cpu().cores < len(allowed):
        return None
    found = _claimed(allowed, count, folder or Path(tempfile.gettempdir()) / "hetero-cores")
    if found is not None:
        for thread in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setaffinity(int(thread.name), found.numbers)
    return found


def _claimed(allowed: Sequence[int], count: int, folder: Path) -> Cores | None:
    _make_for_all(folder)
    numbers: list[int] = []
    files: list[int] = []
    for number in allowed:
        try:
            # To be locked it need not be written, and it may be another user's.
            file = os.open(folder / f"{number}.lock", os.O_RDONLY | os.O_CREAT, 0o666)
        except PermissionError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        numbers.append(number)
        files.append(file)
        if len(numbers) == count:
            return Cores(numbers, files)
    Cores(numbers, files).close()
    return None


def _make_for_all(folder: Path) -> None:
    """Whoever comes first makes the folder, and others need it as much; the mode of ``mkdir`` is cut by the umask."""
    try:
        folder.mkdir()
    except FileExistsError:
        return
    folder.chmod(0o777)
