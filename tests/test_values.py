"""Values between nodes: their specs, their content hash, and how foreign tensors come in."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.errors import SpecError
from hetero.values import (
    ContainerSpec,
    ObjectSpec,
    TensorSpec,
    digest_of,
    nbytes_of,
    spec_from_plain,
    spec_of,
    spec_to_plain,
    to_host,
)

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(plain)
def test_a_spec_survives_json(value: Any) -> None:
    """What is kept of a value in the store and in plan files is read back as the same spec."""
    assert spec_from_plain(spec_to_plain(spec_of(value))) == spec_of(value)


@given(plain, plain)
def test_equal_values_have_equal_hashes_and_others_do_not(first: Any, second: Any) -> None:
    """The hash tells types, structure and content apart."""
    assert digest_of(first) == digest_of(first)
    if repr(first) != repr(second):
        assert digest_of(first) != digest_of(second)


def test_structures_of_the_same_leaves_differ() -> None:
    """How values are nested and split is part of the hash."""
    values = [([1, 2],), ([1], [2]), ((1, 2),), ("12",), (b"12",), ([1, [2]],), ({1: 2},), ({1, 2},), (1, 2)]
    assert len({digest_of(*value) for value in values}) == len(values)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(()),
        np.zeros(1),
        np.zeros((1, 1)),
        np.zeros((0, 3)),
        np.zeros((3, 0)),
        np.zeros(2, np.float16),
        np.zeros(2, ">f8"),
        np.array([1 + 2j]),
        np.array(["ab", "c"]),
        np.array([b"ab"]),
        np.array(["2020-01-01"], "datetime64[D]"),
        np.zeros(2, [("a", "f4"), ("b", "i8")]),
        np.arange(16.0).reshape(4, 4)[::2, ::2],
        np.float32(3),
    ],
    ids=lambda a: f"{a.dtype.str}{a.shape}",
)
def test_every_array_has_a_hash_and_a_spec(array: Any) -> None:
    """Of any dtype, shape and layout; the hash is of the values, not of the layout."""
    assert digest_of(array) == digest_of(array.copy())
    spec = spec_of(array)
    assert isinstance(spec, TensorSpec)
    assert spec.nbytes == array.nbytes
    assert spec_from_plain(spec_to_plain(spec)) == spec


def test_shape_and_dtype_are_part_of_an_arrays_hash() -> None:
    """The same bytes in another shape or type are another value."""
    zeros = [
        np.zeros(4, "f4"),
        np.zeros((2, 2), "f4"),
        np.zeros(4, "i4"),
        np.zeros(2, "f8"),
        np.zeros(()),
        np.zeros(1),
    ]
    assert len(set(map(digest_of, zeros))) == len(zeros)


def test_hashes_do_not_depend_on_the_process() -> None:
    """Sets and dicts of texts hash the same under every seed of Python's string hashes."""
    script = (
        "from hetero.values import digest_of;"
        "print(digest_of({'red', 'green', 'blue'}, {'a': {'x', 'y'}}, frozenset('abc')))"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_a_value_without_content_is_refused_by_name() -> None:
    """A generator or a lock cannot be hashed: the message names its type and what to pass."""
    with pytest.raises(SpecError, match="generator has no content"):
        digest_of(i for i in range(3))


def test_specs_are_readable() -> None:
    """Messages show a value's type, shape and number of items in a few characters."""
    assert str(spec_of(np.zeros((1, 3), np.float32))) == "float32[1,3]"
    assert str(spec_of([np.zeros(2), np.zeros(2)])) == "list(2 x float64[2])"
    assert str(spec_of({"a": 1, "b": "x"})) == "{a: int, b: str}"
    assert str(spec_of([])) == "list(0 x nothing)"
    assert spec_of("four") == ObjectSpec("str", 4)


def test_a_transfers_bytes_are_those_of_its_parts() -> None:
    """Containers weigh what is in them."""
    assert nbytes_of([np.zeros(3), (np.zeros(2, np.float32), b"12")]) == 24 + 8 + 2
    assert isinstance(spec_of(()), ContainerSpec)


def test_tensors_of_other_libraries_come_in() -> None:
    """Also inside containers and where they need a gradient; what cannot be exported is refused."""
    torch = pytest.importorskip("torch")
    value = to_host({"a": [torch.ones(2, requires_grad=True)], "b": (torch.zeros(1), "text")})
    assert isinstance(value["a"][0], np.ndarray)
    assert value["a"][0].tolist() == [1.0, 1.0]
    assert isinstance(value["b"][0], np.ndarray)
    with pytest.raises(SpecError, match="pass a NumPy array"):
        to_host(torch.ones(2, 2).to_sparse())
