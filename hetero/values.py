"""What travels between nodes: NumPy arrays, plain Python values, and containers of both.

A *spec* describes a value without holding it: enough to check that it fits a node, to price its
transfer, and to tell whether two profiles were taken on the same work.
"""

from __future__ import annotations

import hashlib
import math
import pickle
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from hetero.errors import SpecError

__all__ = [
    "ContainerSpec",
    "ObjectSpec",
    "Spec",
    "Specs",
    "TensorSpec",
    "digest_of",
    "nbytes_of",
    "spec_from_plain",
    "spec_of",
    "spec_to_plain",
    "specs_of",
    "to_host",
]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A dense array.

    >>> str(TensorSpec("float32", (1, 3, 48, 320)))
    'float32[1,3,48,320]'
    """

    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """Any other Python value, known by the name of its type and its (shallow) size."""

    type: str
    nbytes: int

    def __str__(self) -> str:
        return self.type


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A list, tuple or dict of values. ``keys`` are a dict's keys in order, else empty."""

    type: str
    items: tuple[Spec, ...]
    keys: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        return sum(item.nbytes for item in self.items)

    def __str__(self) -> str:
        if self.keys:
            return "{" + ", ".join(f"{k}: {v}" for k, v in zip(self.keys, self.items, strict=True)) + "}"
        distinct = list(dict.fromkeys(map(str, self.items)))
        shown = ", ".join(distinct[:2]) + (", ..." if len(distinct) > 2 else "")
        return f"{self.type}({len(self.items)} x {shown or 'nothing'})"


Spec: TypeAlias = TensorSpec | ObjectSpec | ContainerSpec
Specs: TypeAlias = tuple[Spec, ...]


def spec_of(value: object) -> Spec:
    """The spec of a value.

    >>> spec_of(np.zeros((2, 3), np.float32))
    TensorSpec(dtype='float32', shape=(2, 3))
    >>> str(spec_of([np.zeros(3), np.zeros(3)]))
    'list(2 x float64[3])'
    """
    if isinstance(value, np.ndarray | np.generic):
        return TensorSpec(_dtype_name(value.dtype), value.shape)
    if isinstance(value, Mapping):
        return ContainerSpec("dict", tuple(map(spec_of, value.values())), tuple(map(str, value)))
    if isinstance(value, list | tuple):
        return ContainerSpec("list" if isinstance(value, list) else "tuple", tuple(map(spec_of, value)))
    if isinstance(value, str | bytes | bytearray):
        return ObjectSpec(type(value).__name__, len(value))
    return ObjectSpec(type(value).__name__, sys.getsizeof(value, 0))


def _dtype_name(dtype: np.dtype[Any]) -> str:
    """A name that ``np.dtype`` understands: texts and raw bytes have none but their code (``<U3``)."""
    return dtype.str if dtype.kind in "US" or dtype.name.startswith("void") else dtype.name


def specs_of(values: Sequence[object]) -> Specs:
    return tuple(map(spec_of, values))


def nbytes_of(value: object) -> int:
    """Bytes that a transfer of this value would move."""
    return spec_of(value).nbytes


def to_host(value: Any) -> Any:
    """The value as NumPy arrays and plain Python: tensors of other libraries come in by DLPack.

    Raises:
        SpecError: the tensor cannot be exported to host memory (e.g. it needs a gradient).
    """
    if isinstance(value, np.ndarray) or not hasattr(value, "__dlpack__"):
        if isinstance(value, list):
            return [to_host(item) for item in value]
        if type(value) is tuple:
            return tuple(to_host(item) for item in value)
        if isinstance(value, dict):
            return {key: to_host(item) for key, item in value.items()}
        return value
    if hasattr(value, "detach"):  # torch: a leaf that requires a gradient refuses DLPack
        value = value.detach()
    if hasattr(value, "cpu"):
        value = value.cpu()
    try:
        return np.from_dlpack(value)
    except (BufferError, RuntimeError, TypeError) as error:
        raise SpecError(
            f"a {type(value).__module__}.{type(value).__name__} cannot be taken into host memory: {error}; "
            "pass a NumPy array"
        ) from error


def digest_of(*parts: object) -> str:
    """A content hash (128 bits, hex) of arrays, plain values and containers of them.

    Containers and arrays are framed by their types and lengths, so that different structures do not
    collide. Values of other types are hashed by their pickled bytes.

    >>> digest_of([1, 2]) == digest_of([1], [2])
    False
    """
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        _feed(state, part)
    return state.hexdigest()


def _feed(state: Any, value: Any) -> None:
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        array = np.ascontiguousarray(value)
        state.update(
            f"a{_dtype_text(array.dtype)}{value.shape}".encode()
        )  # a scalar stays one: not the array's shape
        state.update(array.view(np.uint8).data if array.size else b"")
    elif isinstance(value, bytes | bytearray | memoryview):
        state.update(b"b%d:" % len(value))
        state.update(value)
    elif value is None or isinstance(value, str | int | float | complex | bool):
        text = f"{type(value).__name__}{value!r}".encode()
        state.update(b"p%d:" % len(text) + text)
    elif isinstance(value, Mapping):
        state.update(b"d%d:" % len(value))
        for key, item in value.items():
            _feed(state, key)
            _feed(state, item)
    elif isinstance(value, list | tuple):
        state.update(b"%s%d:" % (b"l" if isinstance(value, list) else b"t", len(value)))
        for item in value:
            _feed(state, item)
    elif isinstance(value, set | frozenset):  # in an order that is the same in every process
        _feed(state, ["set", *sorted(map(digest_of, value))])
    else:
        _feed(state, _pickled(value))


def _dtype_text(dtype: np.dtype[Any]) -> str:
    return repr(dtype.descr) if dtype.names else dtype.str


def _pickled(value: object) -> bytes:
    import cloudpickle  # only for values that have no plain form

    try:
        return bytes(cloudpickle.dumps(value, protocol=5))
    except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
        raise SpecError(
            f"a {type(value).__name__} has no content that could be hashed or sent to another process ({error}); pass "
            "arrays, plain values and containers of them, and open files, locks and the like inside a node"
        ) from error


def spec_to_plain(spec: Spec) -> list[Any]:
    """A spec as JSON can hold it; ``spec_from_plain`` is its inverse."""
    if isinstance(spec, TensorSpec):
        return ["tensor", spec.dtype, list(spec.shape)]
    if isinstance(spec, ObjectSpec):
        return ["object", spec.type, spec.nbytes]
    return [spec.type, [spec_to_plain(item) for item in spec.items], list(spec.keys)]


def spec_from_plain(plain: Sequence[Any]) -> Spec:
    """The inverse of ``spec_to_plain``.

    Raises:
        TypeError, ValueError: it is something else.

    >>> spec_from_plain(spec_to_plain(spec_of([np.zeros(2)]))) == spec_of([np.zeros(2)])
    True
    """
    kind, first, second = plain
    if kind == "tensor":
        if not all(isinstance(size, int) and size >= 0 for size in second):
            raise ValueError(f"an array cannot have the shape {second!r}")
        return TensorSpec(_dtype_name(np.dtype(str(first))), tuple(second))
    if kind == "object":
        return ObjectSpec(str(first), int(second))
    if kind not in ("list", "tuple", "dict"):
        raise ValueError(f"{kind!r} is no kind of value")
    return ContainerSpec(kind, tuple(map(spec_from_plain, first)), tuple(map(str, second)))
