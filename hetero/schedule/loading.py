"""What solvers take before they look at the clock for the first time: their import, and writing a model down.

A budget that has no time for it leaves them out: nothing that has begun can be stopped there.
"""

from __future__ import annotations

import sys

from hetero.schedule.arrays import Arrays

__all__ = [
    "CP_SAT",
    "LINEAR_PROGRAMS",
    "MOLDABLE_KERNEL",
    "SMALL_KERNEL",
    "TABU_KERNEL",
    "loading_s",
    "model_size",
    "time_for_model",
]

LINEAR_PROGRAMS = "scipy.optimize"
SMALL_KERNEL = "hetero.schedule.small_kernel"
TABU_KERNEL = "hetero.schedule.tabu_kernel"
MOLDABLE_KERNEL = "hetero.schedule.moldable_kernel"
CP_SAT = "ortools.sat.python.cp_model"

_LOADING_S = {LINEAR_PROGRAMS: 0.25, SMALL_KERNEL: 0.4, TABU_KERNEL: 0.4, MOLDABLE_KERNEL: 0.4, CP_SAT: 0.2}
"""At a process's first use, for the kernels with what was compiled for them."""

OVERRUN_S = 0.15
"""Of the 0.2 s that a budget may be overrun: CP-SAT often proves in this time what would else stay open."""

BUILT_SIZE_PER_SECOND = 7000
"""Transfer constraints and options that are written down for CP-SAT in a second, somewhat less than it does."""

LINKS_TO_ONE = 4
"""Constraints on links that are written down in the time of one transfer."""


def loading_s(*modules: str) -> float:
    """What loading those of the modules takes that this process has not loaded yet."""
    return sum(_LOADING_S[module] for module in modules if module not in sys.modules)


def model_size(arrays: Arrays, *, timed: bool = True, links: bool = False) -> int:
    """Options and transfer constraints of the model, those of its times and of the load of its links."""
    moving = int((arrays.nbytes > 0).sum())
    each = (arrays.processors if timed else 0) + (arrays.processors**2 // LINKS_TO_ONE if links else 0)
    return moving * each + arrays.options


def time_for_model(size: int, left_s: float) -> bool:
    """Whether there is time to load OR-Tools and to write down a model of this size."""
    return left_s + OVERRUN_S > loading_s(CP_SAT) + size / BUILT_SIZE_PER_SECOND
