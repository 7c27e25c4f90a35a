"""A part of a larger circuit that stands for it in a graph: it is given the whole's parameters and takes its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hetero.ops.circuit import CircuitOp
from hetero.values import digest_of

__all__ = ["CircuitPartOp"]


@dataclass(frozen=True, eq=False, repr=False)
class CircuitPartOp(CircuitOp):
    """``columns``: which of the whole's angles this circuit's parameters are, in their order; ``whole``: the names of
    all of them.

    Of a kind with `CircuitOp`: whoever simulates it reads its own circuit, and asks ``rows`` for its own angles.
    """

    columns: tuple[int, ...] = ()
    whole: tuple[str, ...] = ()

    @classmethod
    def of(cls, op: CircuitOp, columns: Sequence[int], whole: Sequence[str]) -> CircuitPartOp:
        return cls._of(op, columns=tuple(columns), whole=tuple(whole))

    @property
    def alone(self) -> CircuitOp:
        return CircuitOp._of(self)

    @cached_property
    def angles(self) -> tuple[str, ...]:
        """The whole's, so that counts have a sample of their own for each set; none where it would change nothing."""
        return self.whole if self.columns or self.shots is not None else ()

    @cached_property
    def digest(self) -> str:
        return digest_of("circuit part", self.alone.digest, self.columns, self.whole)

    def asked(self) -> dict[str, Any]:
        return {**super().asked(), "columns": list(self.columns), "whole": list(self.whole)}

    def rows(self, inputs: Sequence[Any]) -> tuple[np.ndarray, tuple[int, ...]]:
        rows, shape = super().rows(inputs)
        return (np.ascontiguousarray(rows[:, list(self.columns)]), shape) if self.angles else (rows, shape)
