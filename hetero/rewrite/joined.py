"""The answers of a circuit's parts put together again: what the whole would have answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hetero.rewrite.last_permutations import BitProgram

__all__ = ["First", "Join", "JoinedCounts", "JoinedValues"]


class Join(Protocol):
    """Makes the whole's answer of those of the parts, one a part, each over all parameter sets.

    Of counts an answer is one mapping (value of the whole's classical bits -> times seen) a set; of expectation values
    an array (sets, observables), of a part that has one row for all sets (1, observables).
    """

    def __call__(self, answers: Sequence[Any], sets: int, rng: np.random.Generator) -> Any: ...


@dataclass(frozen=True, slots=True)
class First:
    """The only part is the whole."""

    def __call__(self, answers: Sequence[Any], sets: int, rng: np.random.Generator) -> Any:
        return answers[0]


@dataclass(frozen=True, slots=True)
class JoinedCounts:
    """Parts are measured apart. Shots of independent parts may be paired in any order, so in a random one.

    ``places``: for each part the whole's bit that each of its own bits is. The whole's bits are the classical ones, or
    what the ``program`` makes those of.
    """

    shots: int
    places: tuple[tuple[int, ...], ...]
    program: BitProgram | None = None

    def __call__(self, answers: Sequence[Any], sets: int, rng: np.random.Generator) -> list[dict[int, int]]:
        spread = [
            [_moved(one, place) for one in found] for found, place in zip(answers, self.places, strict=True)
        ]
        joined = [_paired([found[i] for found in spread], self.shots, rng) for i in range(sets)]
        return joined if self.program is None else [self.program.run(one) for one in joined]


@dataclass(frozen=True, slots=True)
class JoinedValues:
    """Of a product state, the expectation value of a Pauli string is the product over the parts.

    ``strings``: of each string its observable, its coefficient, and (part, number of the observable there) of its
    factors.
    """

    width: int
    strings: tuple[tuple[int, float, tuple[tuple[int, int], ...]], ...]

    def __call__(self, answers: Sequence[Any], sets: int, rng: np.random.Generator) -> np.ndarray:
        table = np.zeros((sets, self.width))
        values = [np.asarray(answer) for answer in answers]
        for owner, coefficient, factors in self.strings:
            product: Any = coefficient
            for part, number in factors:
                product = product * values[part][:, number]
            table[:, owner] += product
        return table


def _moved(counts: Mapping[int, int], places: Sequence[int]) -> dict[int, int]:
    """Bit i of each value as bit ``places[i]``."""
    return {sum((v >> i & 1) << place for i, place in enumerate(places)): n for v, n in counts.items()}


def _paired(counts: Sequence[Mapping[int, int]], shots: int, rng: np.random.Generator) -> dict[int, int]:
    """Counts of all parts at once: their shots, each part's in an order of its own, joined one by one."""
    if not counts:
        return {0: shots}
    first, *rest = counts
    if not rest:
        return dict(first)
    # Python integers: there may be more classical bits than a machine word has.
    joined = np.repeat(np.array(list(first), object), list(first.values()))
    for other in rest:
        joined = joined | rng.permutation(np.repeat(np.array(list(other), object), list(other.values())))
    found: dict[int, int] = {}
    for value in joined.tolist():
        found[value] = found.get(value, 0) + 1
    return found
