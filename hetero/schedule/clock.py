"""The clock that budgets are read from: it stands still while Numba compiles.

The compiled kernels are kept on disk, so that each machine compiles them once, which takes longer than most budgets.
Counted, this would eat up the whole budget of a first run, or overrun it; left out, the first run solves for as long as
every other. Loading them from disk is counted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["now", "off_the_clock"]

log = logging.getLogger("hetero.schedule")


class _Stopped:
    """Seconds spent on compiling so far, in this process."""

    seconds = 0.0
    told = False


def now() -> float:
    """Seconds from some moment on, as `time.perf_counter`, without those that Numba compiled for."""
    return time.perf_counter() - _Stopped.seconds


@contextmanager
def off_the_clock() -> Iterator[None]:
    """Whatever is compiled inside does not count; all else that happens there does.

    The log says so before the first compilation of a process, on standard error unless logging is set up otherwise: a
    command that is silent for long looks as if it hung.
    """
    from numba.core import event

    class Compilation(event.Listener):
        began = 0.0
        depth = 0  # a kernel's compilation contains those of the kernels it calls

        def on_start(self, event: object) -> None:
            if self.depth == 0:
                self.began = time.perf_counter()
                if not _Stopped.told:  # the searches are compiled one by one, and one line is enough
                    log.warning("compiling the search, once for this machine; this does not count as budget")
                _Stopped.told = True
            self.depth += 1

        def on_end(self, event: object) -> None:
            self.depth -= 1
            if self.depth == 0:
                _Stopped.seconds += time.perf_counter() - self.began

    with event.install_listener("numba:compile", Compilation()):
        yield
