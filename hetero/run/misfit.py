"""An engine's words for an input that does not fit, made into hetero's: node, found, expected.

Inputs are compared with what the op declares once a call has failed, so a call that succeeds pays nothing; and engines
take more than models declare (a float64 array where float32 stands), which a check before the call would refuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hetero.errors import HeteroError, SpecError
from hetero.ops.base import Op
from hetero.values import specs_of

__all__ = ["misfit"]


def misfit(op: Op, path: str, values: Sequence[Any], error: Exception) -> str | None:
    """What is wrong with the inputs of a call that raised ``error``; None where nothing is, or where it failed for want
    of memory or of its device.

    >>> class Model:
    ...     def check(self, node, specs):
    ...         raise SpecError(f"node {node!r}, input 'x': found 3 dimensions, expected 4")
    >>> misfit(Model(), "detect", [1], ValueError("Check 'shape.compatible' failed"))
    "input 'x': found 3 dimensions, expected 4"
    """
    if isinstance(error, HeteroError | MemoryError):
        return None
    try:
        op.check(path, specs_of(values))
    except SpecError as wrong:
        return str(wrong).removeprefix(f"node {path!r}").lstrip(",: ")
    return None
