"""What stands for a value while a pipeline is traced, and all that it refuses to do, each with what to use instead."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from hetero.errors import TracingError
from hetero.graph import Ref
from hetero.user_code import location

__all__ = ["Traced", "holds_traced"]


class Traced:
    """Stands for a value that exists only when the plan runs. It can be passed on and returned, nothing else."""

    __slots__ = ("_label", "_ref", "_trace")

    def __init__(self, trace: object, ref: Ref, label: str) -> None:
        self._trace, self._ref, self._label = trace, ref, label

    def __repr__(self) -> str:
        return f"<traced: {self._label}>"

    def _refuse(self, what: str, instead: str) -> NoReturn:
        raise TracingError(
            f"{location()}: {self._label} has no value yet while the pipeline is traced, so {what} is not possible; "
            f"{instead}"
        )

    def __bool__(self) -> bool:
        self._refuse(
            "using it as a condition", "use ht.branch(test, then, otherwise), or decide inside a @ht.node"
        )

    def __iter__(self) -> Any:
        self._refuse(
            "iterating over it or unpacking it",
            "use ht.map(f, values) for a loop; to unpack, declare the arity: `-> tuple[A, B]` or @ht.node(outputs=2)",
        )

    def __len__(self) -> int:
        self._refuse("len()", "compute the length inside a @ht.node")

    def __contains__(self, item: object) -> bool:
        self._refuse("`in`", "test for membership inside a @ht.node")

    def __getitem__(self, key: object) -> Any:
        self._refuse(f"indexing it with [{key!r}]", "select inside a @ht.node, or return several outputs")

    def __setitem__(self, key: object, value: object) -> None:
        self._refuse(f"assigning to its item [{key!r}]", "return a changed copy from a @ht.node")

    def __delitem__(self, key: object) -> None:
        self._refuse(f"deleting its item [{key!r}]", "return a changed copy from a @ht.node")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # protocols that probe: copy, inspect, NumPy
            raise AttributeError(name)
        self._refuse(f"reading its attribute .{name}", "read it inside a @ht.node")

    def __call__(self, *args: object, **kwargs: object) -> Any:
        self._refuse("calling it", "call a node or pipeline; a traced value is data")

    def __array__(self, *args: object, **kwargs: object) -> Any:
        self._refuse("turning it into an array", "do that inside a @ht.node")

    def __format__(self, form: str) -> str:
        if form:
            self._refuse(f"formatting it as {form!r}", "make the text inside a @ht.node")
        return repr(self)

    def __hash__(self) -> int:
        self._refuse("using it as a key or in a set", "build the dict or set inside a @ht.node")

    # There is nothing to copy: a copy of a container that holds it passes the same value on.
    def __copy__(self) -> Traced:
        return self

    def __deepcopy__(self, memo: object) -> Traced:
        return self

    def __reduce_ex__(self, protocol: object) -> Any:
        self._refuse("pickling it", "return it from the pipeline, and pickle the result")


def _refusing(what: str) -> Callable[..., NoReturn]:
    instead = "put the arithmetic into a function decorated with @ht.node"
    return lambda self, *others: self._refuse(what, instead)


for _what, _names in {
    "int()": "int",
    "float()": "float",
    "complex()": "complex",
    "using it as an index or a count": "index",
    "round()": "round",
    "rounding it": "floor ceil trunc",
    "divmod()": "divmod rdivmod",
    "abs()": "abs",
    "`+`": "add radd pos",
    "`-`": "sub rsub neg",
    "`*`": "mul rmul",
    "`/`": "truediv rtruediv",
    "`//`": "floordiv rfloordiv",
    "`%`": "mod rmod",
    "`**`": "pow rpow",
    "`@`": "matmul rmatmul",
    "`&`": "and rand",
    "`|`": "or ror",
    "`^`": "xor rxor",
    "`~`": "invert",
    "`<<`": "lshift rlshift",
    "`>>`": "rshift rrshift",
    "`<`": "lt",
    "`<=`": "le",
    "`>`": "gt",
    "`>=`": "ge",
    "`==`": "eq",
    "`!=`": "ne",
}.items():
    for _name in _names.split():
        setattr(Traced, f"__{_name}__", _refusing(_what))


def holds_traced(value: Any) -> bool:
    """Whether a value is traced, or a list, tuple, dict, set or dataclass with a traced value somewhere inside."""
    return next(_traced_in(value, set()), None) is not None


def _traced_in(value: Any, around: set[int]) -> Iterator[Traced]:
    if isinstance(value, Traced):
        yield value
        return
    if isinstance(value, dict):
        parts: Any = value.values()
    elif isinstance(value, list | tuple):
        parts = value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    else:
        return
    if id(value) in around:  # a list that contains itself
        return
    for part in parts:
        yield from _traced_in(part, around | {id(value)})
