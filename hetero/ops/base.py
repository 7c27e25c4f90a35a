"""What every kind of operation has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from hetero.values import ObjectSpec, Specs

if TYPE_CHECKING:
    from hetero.graph import Graph

__all__ = ["Effects", "Op", "Outputs", "Run", "Work"]

Effects: TypeAlias = Literal["pure", "idempotent", "once"]
"""What running a node again means: nothing at all, the same state of the world, or a second effect."""

Outputs: TypeAlias = tuple[Any, ...]
Run: TypeAlias = Callable[..., Outputs]
"""A loaded operation: positional inputs in, a tuple of as many values as the op has outputs out."""


@dataclass(frozen=True, slots=True)
class Work:
    """How much an operation has to do on given shapes; the roofline prior turns it into seconds.

    ``flops`` and ``nbytes`` (moved through memory, weights included) are for one run; ``features`` holds
    what a kind adds (a circuit's qubits, depth, ...).
    """

    flops: float
    nbytes: float
    features: Mapping[str, float] = field(default_factory=dict)


class Op(ABC):
    """One operation, independent of where it runs: signature, content, and the reference run.

    A frozen value once built. Two ops with the same ``digest`` compute the same; a profile of one is a
    profile of the other.
    """

    kind: ClassVar[str]
    name: str
    """What a node of this op is called in graphs and messages."""
    inputs: tuple[str, ...]
    """Parameter names in order."""
    outputs: tuple[str, ...]
    """Output names in order; a node with one output stands for the value itself."""
    effects: Effects = "pure"
    weights_nbytes: int = 0
    """Bytes that stay resident wherever the op is loaded."""
    chance_error: float = 0.0
    """Standard error that the outputs have by chance, where how large it is was left to the planner."""
    paddable: Mapping[str, int] = MappingProxyType({})
    """Inputs that may be filled up with zeros at the end of an axis, which is given, without a change of any output.

    It says nothing of what the op computes, but of what else may be computed in its place."""

    @property
    def defaults(self) -> Mapping[str, object]:
        """Values of the parameters that a call may leave out."""
        return MappingProxyType({})

    @property
    def free_batch(self) -> bool:
        """Whether the first axis of all inputs and outputs may have any size, as far as the op knows."""
        return False

    @property
    def subgraphs(self) -> Mapping[str, Graph]:
        """The graphs inside (a map's item under ``""``, a branch's sides under their names)."""
        return MappingProxyType({})

    @cached_property
    @abstractmethod
    def digest(self) -> str:
        """Content hash: everything that decides what the op computes, and nothing else."""

    @abstractmethod
    def check(self, node: str, specs: Specs) -> None:
        """Raise ``SpecError`` (naming node, input, found, expected) where inputs cannot fit."""

    @abstractmethod
    def load(self) -> Run:
        """Build the reference run: slow is fine, right is not negotiable."""

    def work(self, specs: Specs) -> Work | None:
        """Work on these input shapes, or None where it cannot be told without running."""
        return None

    def output_specs(self, specs: Specs) -> Specs | None:
        """Specs of the outputs for inputs of these, where they can be told without running; else None."""
        return None

    def example_specs(self) -> Specs:
        """Specs that its inputs might have, where no sample shows what they are."""
        return tuple(ObjectSpec("unknown", 0) for _ in self.inputs)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}({', '.join(self.inputs)}) -> {', '.join(self.outputs)}>"
