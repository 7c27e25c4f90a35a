"""How far a value is from the reference's."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from hetero.values import digest_of

__all__ = ["OfArrays", "largest_difference", "plainly_differ", "relative_l2"]

LOOKED_AT = 64
"""Numbers of an array that are compared before all are."""

OfArrays: TypeAlias = Callable[["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"], float]


def relative_l2(reference: Any, found: Any) -> float:
    """The largest relative L2 difference of a float output, ``||found - reference|| / ||reference||``.

    Outputs may be nested in lists, tuples and dicts. A list of floats is one vector. Everything that is not a
    float (integers, texts, truth values) has to be equal: the difference is infinite where it is not, and
    where the structure or a shape differs, or one has a NaN or an infinity where the other does not.

    A value may know better what a difference from another one means: draws of chance are never equal, and may
    still agree. Its method ``hetero_difference(found)`` then decides (see ``hetero.ops.counts``).

    >>> relative_l2([3.0, 4.0], [3.0, 4.5])
    0.1
    >>> relative_l2(("text", 1.0), ("test", 1.0))
    inf
    """
    return largest_difference(reference, found, _vector_l2)


def largest_difference(reference: Any, found: Any, of_arrays: OfArrays) -> float:
    """The same for another difference of two float arrays of one shape, which have the same NaNs and infinities.

    >>> largest_difference(("text", [1.0, 2.0]), ("text", [1.0, 2.5]), lambda a, b: float(abs(a - b).max()))
    0.5
    """
    if reference is found:
        return 0.0
    own_difference = getattr(reference, "hetero_difference", None)
    if own_difference is not None:
        return float(own_difference(found))
    reference_vector, found_vector = _vector(reference), _vector(found)
    if reference_vector is not None and found_vector is not None:
        return _of_floats(reference_vector, found_vector, of_arrays)
    if isinstance(reference, np.ndarray) or isinstance(found, np.ndarray):
        return _other_arrays(reference, found, of_arrays)
    if isinstance(reference, Mapping) and isinstance(found, Mapping):
        if list(map(str, reference)) != list(map(str, found)):
            return math.inf
        return _largest(reference.values(), found.values(), of_arrays)
    if isinstance(reference, list | tuple) and isinstance(found, list | tuple):
        return _largest(reference, found, of_arrays) if len(reference) == len(found) else math.inf
    if dataclasses.is_dataclass(reference) and type(reference) is type(found):
        names = [field.name for field in dataclasses.fields(reference)]
        return _largest([getattr(reference, n) for n in names], [getattr(found, n) for n in names], of_arrays)
    return 0.0 if _equal(reference, found) else math.inf


def plainly_differ(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether a look at some numbers of each array shows that two rows of values are not equal; False says nothing.

    To find that megabytes differ by rounding takes longer than the node that they are given to.

    >>> plainly_differ([np.zeros(5)], [np.zeros(5)]), plainly_differ([np.zeros(5)], [np.ones(5)])
    (False, True)
    """
    return any(
        type(a) is type(b) is np.ndarray
        and a.dtype.kind in "fiub"
        and b.dtype.kind in "fiub"
        and _unlike(a, b)
        for a, b in zip(one, other, strict=False)
    )


def _unlike(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    if a.shape != b.shape:
        return True
    step = max(1, a.size // LOOKED_AT)
    return not np.array_equal(a.ravel()[::step], b.ravel()[::step], equal_nan=True)


def _vector(value: Any) -> np.ndarray[Any, Any] | None:
    """Floats as one array: a float array, a float, a list of floats; None for anything else."""
    if isinstance(value, np.ndarray | np.generic):
        # bfloat16 and the 8-bit floats are of no NumPy kind: they carry the kind of raw bytes, and a name
        inexact = value.dtype.kind in "fc" or "float" in value.dtype.name
        return np.asarray(value) if inexact else None
    if isinstance(value, float | complex):
        return np.asarray(value)
    if isinstance(value, list | tuple) and value and all(isinstance(v, float | np.floating) for v in value):
        return np.asarray(value, np.float64)
    return None


def _of_floats(reference: np.ndarray[Any, Any], found: np.ndarray[Any, Any], of_arrays: OfArrays) -> float:
    """In double precision, where shapes and what is not finite are the same."""
    if reference.shape != found.shape:
        return math.inf
    wide = np.complex128 if "c" in (reference.dtype.kind, found.dtype.kind) else np.float64
    a, b = reference.astype(wide), found.astype(wide)
    finite = np.isfinite(a)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True) or not np.isfinite(b[finite]).all():
        return math.inf
    if not finite.all():
        a, b = np.where(finite, a, 0), np.where(finite, b, 0)
    return of_arrays(a, b)


def _vector_l2(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    a, b = a.ravel(), b.ravel()
    difference, size = float(np.linalg.norm(b - a)), float(np.linalg.norm(a))
    if difference == 0:
        return 0.0
    return difference / size if size > 0 else math.inf


def _other_arrays(reference: Any, found: Any, of_arrays: OfArrays) -> float:
    """Arrays of integers, truth values, texts or objects."""
    if not isinstance(reference, np.ndarray) or not isinstance(found, np.ndarray):
        return math.inf
    if reference.shape != found.shape:
        return math.inf
    if reference.dtype == object and found.dtype == object:
        return _largest(reference.ravel().tolist(), found.ravel().tolist(), of_arrays)
    return 0.0 if np.array_equal(reference, found) else math.inf


def _largest(reference: Any, found: Any, of_arrays: OfArrays) -> float:
    return max(
        (largest_difference(a, b, of_arrays) for a, b in zip(reference, found, strict=True)), default=0.0
    )


def _equal(reference: Any, found: Any) -> bool:
    if reference is found:
        return True
    try:
        return bool(reference == found)
    except (TypeError, ValueError):  # values that hold arrays have no truth value: their content decides
        return digest_of(reference) == digest_of(found)
