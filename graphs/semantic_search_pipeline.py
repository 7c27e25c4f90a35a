"""The nodes of the `semantic_search` pipeline, and how they are joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hetero as ht
from hetero.graphs import minilm
from hetero.graphs.minilm import Tokens
from hetero.graphs.semantic_search import NAME, Ranking
from hetero.tracing import Callee, Pipeline

__all__ = ["encoder", "index_pipeline", "search_pipeline", "tokenise_lines"]

PADDABLE = {"input_ids": 1, "attention_mask": 1}
"""What the attention mask hides changes nothing, so lines of unequal length may be encoded together."""


def encoder() -> Callee:
    """The sentence encoder as a node."""
    example = minilm.tokenise(["A bridge.", "A bridge over the river."])
    return ht.from_torch(minilm.sentence_encoder(), example, name="encode", paddable=PADDABLE)


def index_pipeline(encode: Callee) -> Pipeline:
    """Lines to their vectors, float32 (1, 384) each, of length 1. How many lines are encoded at once, the plan says."""

    @ht.pipeline
    def embed(tokens: Any) -> Any:
        ids, mask = both(tokens)
        return encode(ids, mask)

    @ht.pipeline
    def index(lines: Any) -> Any:
        return ht.map(embed, tokenise_lines(lines))

    return index


def search_pipeline() -> Pipeline:
    """The encoder loaded and the nodes joined: `hetero.graphs.semantic_search.build` is the way in."""
    encode = encoder()
    index = index_pipeline(encode)

    @ht.pipeline(name=NAME)
    def search(lines: Any, query: Any) -> Any:
        ids, mask = tokenise([query])
        return rank(lines, index(lines), encode(ids, mask))

    return search


tokenise = ht.node(minilm.tokenise)
tokenise_lines = ht.node(minilm.tokenise_lines)


@ht.node
def both(tokens: Tokens) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The encoder's two inputs, int64 (1, tokens) each."""
    return tokens.ids, tokens.mask


@ht.node
def rank(lines: Sequence[str], vectors: Sequence[NDArray[np.float32]], query: NDArray[np.float32]) -> Ranking:
    """The lines by their cosine similarity to the query; equally near ones keep their order.

    ``vectors`` has one float32 (1, 384) a line, ``query`` is one more. All have length 1.
    """
    similarities = np.concatenate([*vectors, np.empty((0, query.shape[1]), np.float32)]) @ query[0]
    order = np.argsort(-similarities, kind="stable")
    return Ranking([lines[index] for index in order], similarities[order].tolist())
