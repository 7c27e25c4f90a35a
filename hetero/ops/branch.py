"""One of two sub-graphs, chosen by a boolean when it runs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from hetero.errors import SpecError
from hetero.ops.base import Op, Run
from hetero.values import ContainerSpec, Specs, TensorSpec, digest_of

if TYPE_CHECKING:
    from hetero.graph import Graph

__all__ = ["BranchOp"]


class BranchOp(Op):
    """``then(*closure) if test else otherwise(*closure)``; the other side never runs.

    Inputs are the test and every traced value that either side closes over; both sides take all of these values in
    the same order. With one output the side's value is the output; with several each side gives a tuple of them.
    """

    kind = "branch"

    def __init__(self, then: Graph, otherwise: Graph, outputs: int, name: str = "branch") -> None:
        self.then, self.otherwise = then, otherwise
        self.name = name
        self.inputs = ("test", *(parameter.name for parameter in then.inputs))
        self.outputs = ("result",) if outputs == 1 else tuple(f"result{i}" for i in range(outputs))

    @property
    def subgraphs(self) -> Mapping[str, Graph]:
        return MappingProxyType({"then": self.then, "otherwise": self.otherwise})

    @cached_property
    def digest(self) -> str:
        return digest_of("branch", self.then.digest, self.otherwise.digest, len(self.outputs))

    def check(self, node: str, specs: Specs) -> None:
        test = specs[0]
        if isinstance(test, ContainerSpec) or (isinstance(test, TensorSpec) and test.shape not in ((), (1,))):
            raise SpecError(f"node {node!r}, input 'test': found {test}, expected one boolean")

    def load(self) -> Run:
        single = len(self.outputs) == 1

        def run(test: object, *closure: object) -> tuple[object, ...]:
            side = self.then if test else self.otherwise
            result = side.run(*closure)
            return (result,) if single else tuple(result)

        return run
