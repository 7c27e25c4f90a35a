"""Compare a quantum kernel with the classical one: python examples/quantum_kernel.py [TABLE.csv or FOLDER]

A table has numbers and, in its last column, the class. Without one it is breast cancer data of scikit-learn.
"""

from __future__ import annotations

import sys

import hetero as ht
from hetero.graphs import quantum_kernel


def main(*paths: str) -> None:
    """Plan for the first table, say what was chosen, and compare the kernels on every table by that plan."""
    tables = quantum_kernel.inputs(paths[0]) if paths else iter([quantum_kernel.sample()])
    first = next(tables)
    with ht.plan(quantum_kernel.build(), *first) as plan:
        print(plan.explain())
        print(quantum_kernel.show(plan(*first)))
        for table in tables:
            print(f"\n{quantum_kernel.show(plan(*table))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
