"""Read the text on a page, each step on what runs it best here: python examples/ocr.py [IMAGE or FOLDER]"""

from __future__ import annotations

import sys

import hetero as ht
from hetero.graphs import ocr


def main(*paths: str) -> None:
    """Plan on the first page, say what was chosen, and read every page by that plan."""
    pages = ocr.inputs(paths[0]) if paths else iter([ocr.sample()])
    (first,) = next(pages)
    with ht.plan(ocr.build(), first) as plan:
        print(plan.explain())
        print(ocr.show(plan(first)))
        for (page,) in pages:
            print(f"\n{ocr.show(plan(page))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
