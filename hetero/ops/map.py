"""A sub-graph run once for each item of a list whose length is known only when it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.arguments import Errors
from hetero.errors import NodeError, SpecError
from hetero.ops.base import Op, Run
from hetero.values import ContainerSpec, Specs, TensorSpec, digest_of, spec_of, to_host

if TYPE_CHECKING:
    from hetero.graph import Graph

__all__ = ["MapOp", "as_node_error", "items_of"]


class MapOp(Op):
    """``[item_graph(item, *closure) for item in items]``.

    Inputs are the items (a list, a tuple, or an array's first axis) and the traced values that the item graph closes
    over; the item graph's inputs are one item and then the same values in the same order. The output is one list. With
    ``errors="return"`` the ``NodeError`` of an item stands in the place of its result.
    """

    kind = "map"
    outputs = ("items",)

    def __init__(self, item: Graph, name: str = "map", errors: Errors = "raise") -> None:
        self.item, self.errors = item, errors
        self.name = name
        self.inputs = ("items", *(parameter.name for parameter in item.inputs[1:]))

    @property
    def subgraphs(self) -> Mapping[str, Graph]:
        return MappingProxyType({"": self.item})

    @cached_property
    def digest(self) -> str:
        return digest_of("map", self.item.digest, *(["errors"] if self.errors == "return" else []))

    def check(self, node: str, specs: Specs) -> None:
        first = specs[0]
        if isinstance(first, TensorSpec) and first.shape:
            return
        if isinstance(first, ContainerSpec) and first.type in ("list", "tuple"):
            return
        raise SpecError(
            f"node {node!r}, input 'items': found {first}, expected a list, a tuple or an array with a first axis"
        )

    def load(self) -> Run:
        run = self.item.run if self.errors == "raise" else self._returning
        return lambda items, *closure: ([run(x, *closure) for x in items_of(items)],)

    def _returning(self, *inputs: Any) -> Any:
        try:
            return self.item.run(*inputs)
        except Exception as error:  # whatever the item's code raises is its result, as asked
            return as_node_error(self.item.name, error)


def as_node_error(node: str, error: Exception) -> NodeError:
    """What a node raised as the error that names it."""
    if isinstance(error, NodeError):
        return error
    found = NodeError(node, f"{type(error).__name__}: {error}")
    found.__cause__ = error
    return found


def items_of(items: Any) -> Sequence[Any]:
    """The items that a map runs over: those of a list or tuple, or the slices along an array's first axis.

    Raises:
        SpecError: it is none of these. A dict or a text would be iterated over in a way that nobody meant.
    """
    if isinstance(items, list | tuple):
        return items
    array = to_host(items)
    if isinstance(array, np.ndarray) and array.shape:
        return list(array)
    raise SpecError(
        f"a map was given {spec_of(items)}, expected a list, a tuple or an array with a first axis"
    )
