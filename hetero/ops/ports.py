"""The inputs and outputs of a model, and whether values fit them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from hetero.errors import ArgumentError, SpecError
from hetero.graph import specs_error
from hetero.values import ObjectSpec, Spec, Specs, TensorSpec

__all__ = ["Dim", "Port", "as_arrays", "check_ports", "checked_paddable"]

Dim: TypeAlias = int | str | None
"""A size that is fixed, one that has a name (equal wherever the name stands), or any."""

_NUMBERS = {"int": "iu", "float": "f", "bool": "b"}
"""Plain numbers that a scalar input takes, with the kinds of dtype that they fit without loss of meaning."""


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output of a model. ``shape`` None means that not even the rank is known.

    >>> str(Port("x", "float32", (1, 3, "height", None)))
    'float32[1,3,height,?]'
    """

    name: str
    dtype: str
    shape: tuple[Dim, ...] | None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype} of any shape"
        return f"{self.dtype}[{','.join('?' if d is None else str(d) for d in self.shape)}]"

    @property
    def open(self) -> Port:
        """The same port with every size free: dtype and rank stay."""
        return Port(self.name, self.dtype, None if self.shape is None else (None,) * len(self.shape))


def check_ports(node: str, ports: Sequence[Port], specs: Specs) -> None:
    """Raise ``SpecError`` for the first value that does not fit its port, or whose named sizes disagree."""
    if len(specs) != len(ports):
        raise SpecError(f"node {node!r}: found {len(specs)} inputs, expected {len(ports)}")
    sizes: dict[str, tuple[int, str]] = {}
    for port, spec in zip(ports, specs, strict=True):
        shape = _fitting_shape(node, port, spec)
        for dim, size in zip(port.shape or (), shape, strict=False):
            if not isinstance(dim, str):
                continue
            known, where = sizes.setdefault(dim, (size, port.name))
            if known != size:
                raise SpecError(
                    specs_error(node, port.name, spec, f"{port} with {dim} = {known}, as in input {where!r}")
                )


def _fitting_shape(node: str, port: Port, spec: Spec) -> tuple[int, ...]:
    """The shape of a value that fits the port's dtype, rank and fixed sizes."""
    if (
        isinstance(spec, ObjectSpec)
        and port.shape == ()
        and np.dtype(port.dtype).kind in _NUMBERS.get(spec.type, "")
    ):
        return ()
    if not isinstance(spec, TensorSpec):
        raise SpecError(specs_error(node, port.name, spec, f"an array {port}"))
    if not _same_dtype(spec.dtype, port.dtype):
        raise SpecError(specs_error(node, port.name, spec, f"{port}: convert with .astype({port.dtype!r})"))
    if port.shape is not None:
        if len(spec.shape) != len(port.shape):
            raise SpecError(specs_error(node, port.name, spec, f"{port}: {len(port.shape)} dimensions"))
        for axis, (dim, size) in enumerate(zip(port.shape, spec.shape, strict=True)):
            if isinstance(dim, int) and dim != size:
                raise SpecError(specs_error(node, port.name, spec, f"{port}: size {dim} in dimension {axis}"))
    return spec.shape


def _same_dtype(found: str, expected: str) -> bool:
    """Strings have one ONNX type and many NumPy ones (``str32``, ``str160``, ``object``)."""
    return found == expected or (expected == "object" and found.startswith("str"))


def as_arrays(ports: Sequence[Port], values: Sequence[Any]) -> list[Any]:
    """The values as engines take them: plain numbers become arrays of the port's dtype.

    >>> as_arrays([Port("rate", "int64", ())], [16000])
    [array(16000)]
    """
    return [
        value if isinstance(value, np.ndarray) else np.asarray(value, port.dtype)
        for port, value in zip(ports, values, strict=True)
    ]


def checked_paddable(
    paddable: Mapping[str, int] | None, ports: Sequence[Port], who: str
) -> Mapping[str, int]:
    """The inputs that may be filled up with zeros, each with its axis.

    The first axis is that of the items and is never filled up.

    Raises:
        ArgumentError: no such input, or no such axis.

    >>> dict(checked_paddable({"ids": 1}, [Port("ids", "int64", (None, None))], "encode"))
    {'ids': 1}
    """
    ranks = {port.name: None if port.shape is None else len(port.shape) for port in ports}
    for name, axis in (paddable or {}).items():
        if name not in ranks:
            raise ArgumentError(f"paddable of {who!r}: it has no input {name!r}; it has: {', '.join(ranks)}")
        rank = ranks[name]
        if (
            isinstance(axis, bool)
            or not isinstance(axis, int)
            or axis < 1
            or (rank is not None and axis >= rank)
        ):
            most = "" if rank is None else f" and below {rank}"
            raise ArgumentError(
                f"paddable of {who!r}: input {name!r}, found axis {axis!r}, expected a whole number from 1 on{most}"
            )
    return MappingProxyType(dict(paddable or {}))
