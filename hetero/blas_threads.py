"""NumPy's own threads, held to one for as long as somebody says so.

A Python function counts as one busy core, but a matrix product inside it may wake as many threads as there are cores.
OpenBLAS' threads then go on spinning for tens of milliseconds after the product has ended, on cores that the plan has
given to models: forty calls of a sentence encoder took 126 ms where one product of 0.1 ms came before them, and 81 ms
without its threads. So functions that a plan runs have the one thread that the plan counts on.

The setting is one for the whole process, of NumPy and SciPy as of everything else that calls BLAS in it; it is put
back when the last holder lets go. See docs/adr/0009.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["hold"]

_lock = threading.Lock()
_holders = 0
_limited: Any = None


def hold() -> Callable[[], None]:
    """Hold BLAS to one thread until what is returned is called (once)."""
    global _holders, _limited
    with _lock:
        if _holders == 0:
            from threadpoolctl import ThreadpoolController

            # Libraries that are loaded later are not held: a function has run once by its reference before it is
            # opened here, and has loaded what it needs.
            _limited = ThreadpoolController().limit(limits=1, user_api="blas")
        _holders += 1
    return _release


def _release() -> None:
    global _holders, _limited
    with _lock:
        _holders -= 1
        if _holders == 0:
            _limited.restore_original_limits()
            _limited = None
