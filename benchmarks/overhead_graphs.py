"""The graphs that overhead is measured on: for each node the one or two that it takes values from."""

from __future__ import annotations

import random
from typing import TypeAlias

Parents: TypeAlias = list[tuple[int, ...]]
"""By node, its parents; one without parents takes the input."""


def chain(nodes: int) -> Parents:
    """Each takes the value of the one before."""
    return [(i - 1,) if i else () for i in range(nodes)]


def fan_out(nodes: int) -> Parents:
    """All take the value of the first."""
    return [(0,) if i else () for i in range(nodes)]


def random_dag(nodes: int, seed: int = 6) -> Parents:
    """Each takes one or two values of the ten before it."""
    rng = random.Random(seed)
    return [
        tuple(sorted(rng.sample(range(max(0, i - 10), i), min(i, rng.choice((1, 2)))))) for i in range(nodes)
    ]


SHAPES = {"chain": chain, "fan-out": fan_out, "random DAG": random_dag}


def sinks(parents: Parents) -> list[int]:
    """The nodes that nobody takes a value from."""
    taken = {parent for some in parents for parent in some}
    return [i for i in range(len(parents)) if i not in taken]
