"""The demo pipeline under hetero's plan against single engines.

    python benchmarks/demo.py [--pipeline NAME] [--rounds 12] [--runs 4] [--csv FILE]

Contestants are in processes of their own and take turns (see ``duel``). Status 1 where hetero is more than 3 % slower
than the best of the others.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack, closing
from pathlib import Path

from contestants import NAMES
from duel import Contestant, compete, headline, rows, table, write_csv

from hetero.show import seconds

CONTESTANT = Path(__file__).with_name("contestants.py")
TOLERANCE = 1.03


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipeline", default="read_and_route")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--runs", type=int, default=4, help="in a block")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    print(headline(options.pipeline))
    with ExitStack() as opened:
        # Started one after the other: hetero measures while it plans.
        contestants = [
            opened.enter_context(closing(Contestant(name, [str(CONTESTANT), name, options.pipeline])))
            for name in NAMES
        ]
        found = rows(compete(contestants, options.rounds, options.runs))
    print(table(found))
    predicted_s, own_s = contestants[0].about["predicted_s"], found[0]["median_s"]
    print(
        f"hetero: predicted {seconds(predicted_s)}, measured {seconds(own_s)}, ratio {predicted_s / own_s:.2f}"
    )
    for row in found:
        row |= {"predicted_s": predicted_s if row is found[0] else "", "pipeline": options.pipeline}
    write_csv(options.csv, found)
    best = min(found[1:], key=lambda row: row["times_hetero"])
    slower = 1 / best["times_hetero"]
    verdict = "slower" if slower > 1 else "faster"
    print(
        f"hetero is {max(slower, 1 / slower):.2f} times {verdict} than the best of them, {best['contestant']}"
    )
    return 0 if slower <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
