"""A plan with a map, a branch and two independent nodes; small enough to be planned in a moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import hetero as ht
from hetero.plans import Plan


@ht.node
def double(x: int) -> int:
    return 2 * x


@ht.node
def up_to(x: int) -> list[int]:
    return list(range(x))


@ht.node(name="sum <b> & more")
def total(values: list[int], more: int) -> int:
    """Its name would change a page that trusts names."""
    return sum(values) + more


@ht.node
def is_large(x: int) -> bool:
    return x > 1000


@ht.pipeline
def pipeline(x: Any) -> Any:
    added = total(ht.map(double, up_to(x)), double(x))
    return ht.branch(is_large(added), lambda: added, lambda: double(added))


@pytest.fixture(scope="session")
def plan(own_cache: object) -> Iterator[Plan]:
    with ht.plan(pipeline, 5) as made:
        yield made
