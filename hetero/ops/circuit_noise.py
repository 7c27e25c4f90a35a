"""Circuits on a processor that errs: the same op with Qiskit Aer's model of its noise.

A kind of its own, not a field of `CircuitOp`: a device that has never heard of noise must not run one as if there were
none. Gates stay as they are written, since noise belongs to the names of gates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from hetero.errors import ArgumentError
from hetero.ops.base import Run
from hetero.ops.circuit import CircuitOp
from hetero.values import digest_of

__all__ = ["NoisyCircuitOp"]


@dataclass(frozen=True, eq=False, repr=False)
class NoisyCircuitOp(CircuitOp):
    """``noise`` is a ``qiskit_aer.noise.NoiseModel``."""

    kind: ClassVar[str] = "noisy circuit"

    noise: Any = None

    @classmethod
    def of(cls, op: CircuitOp, noise: Any) -> NoisyCircuitOp:
        """The op with noise.

        Raises:
            ArgumentError: this is no noise model.
        """
        if not callable(getattr(noise, "to_dict", None)) or not hasattr(noise, "basis_gates"):
            raise ArgumentError(
                f"noise_model={noise!r}: expected a qiskit_aer.noise.NoiseModel "
                "(NoiseModel.from_backend(backend) makes one)"
            )
        return cls._of(op, noise=noise)

    @cached_property
    def digest(self) -> str:
        return digest_of("noisy", CircuitOp.digest.func(self), repr(self.noise.to_dict()))  # type: ignore[attr-defined]

    def load(self) -> Run:
        """There is none: the only engine that knows these noise models is Aer itself, which cannot check itself.

        Raises:
            ArgumentError: always.
        """
        raise ArgumentError(
            f"circuit {self.name!r}: a noisy circuit has no exact reference to be compared with"
        )
