"""Read business pages, classify their lines, route them: python examples/read_and_route.py [IMAGE or FOLDER]

Models on CPU engines (a GPU where there is one) and a quantum simulator, in one plan.
"""

from __future__ import annotations

import sys

import hetero as ht
from hetero.graphs import read_and_route


def main(*paths: str) -> None:
    """Plan on the first page, say what was chosen, and route every page by that plan."""
    pages = read_and_route.inputs(paths[0]) if paths else iter([read_and_route.sample()])
    (first,) = next(pages)
    with ht.plan(read_and_route.build(), first) as plan:
        print(plan.explain())
        print(read_and_route.show(plan(first)))
        for (page,) in pages:
            print(f"\n{read_and_route.show(plan(page))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
