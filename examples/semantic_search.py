"""Search a text by meaning: python examples/semantic_search.py [FILE [QUERY]]

Without a file it searches forty sentences of its own; without a query the file's first line is the query.
"""

from __future__ import annotations

import sys

import hetero as ht
from hetero.graphs import semantic_search


def main(path: str | None = None, query: str | None = None) -> None:
    """Plan for this text and query, say what was chosen, and show the ten nearest lines."""
    arguments = semantic_search.sample() if path is None else next(semantic_search.inputs(path, query))
    with ht.plan(semantic_search.build(), *arguments) as plan:
        print(plan.explain())
        print(semantic_search.show(plan(*arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
