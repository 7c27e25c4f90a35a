"""The nodes of the `semantic_search` pipeline, and how they are joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hetero as ht
from hetero.graphs import minilm
from hetero.graphs.semantic_search import NAME, Ranking
from hetero.tracing import Pipeline

__all__ = ["by_length", "search_pipeline"]

BATCH = 8
"""Lines encoded at once. A file of any length then needs little memory, and a batch is padded little."""


def search_pipeline() -> Pipeline:
    """The encoder loaded and the nodes joined: `hetero.graphs.semantic_search.build` is the way in."""
    example = minilm.tokenise(["A bridge.", "A bridge over the river."])
    encode = ht.from_torch(minilm.sentence_encoder(), example, name="encode")

    @ht.pipeline
    def embed(sentences: Any) -> Any:
        ids, mask = tokenise(sentences)
        return encode(ids, mask)

    @ht.pipeline(name=NAME)
    def search(lines: Any, query: Any) -> Any:
        return rank(lines, ht.map(embed, batches(lines)), embed([query]))

    return search


tokenise = ht.node(minilm.tokenise)


@ht.node
def batches(lines: Sequence[str]) -> list[list[str]]:
    """Lines of like length together, at most `BATCH` of them."""
    ordered = [lines[index] for index in by_length(lines)]
    return [ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH)]


@ht.node
def rank(lines: Sequence[str], vectors: Sequence[NDArray[np.float32]], query: NDArray[np.float32]) -> Ranking:
    """The lines by their cosine similarity to the query; equally near ones keep their order.

    ``vectors`` are those of `batches`, float32 (up to `BATCH`, 384) each; ``query`` is float32 (1, 384).
    All have length 1.
    """
    similarities = np.empty(len(lines), np.float32)
    similarities[by_length(lines)] = [value for batch in vectors for value in batch @ query[0]]
    order = np.argsort(-similarities, kind="stable")
    return Ranking([lines[index] for index in order], similarities[order].tolist())


def by_length(lines: Sequence[str]) -> list[int]:
    """Positions of the lines, the shortest line first.

    >>> by_length(["ccc", "a", "bb"])
    [1, 2, 0]
    """
    return sorted(range(len(lines)), key=lambda index: len(lines[index]))
