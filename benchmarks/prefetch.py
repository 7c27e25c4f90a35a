"""What it is worth to copy while others compute: python benchmarks/prefetch.py [--csv FILE]

One node computes on the CPU, the next one takes its result and a large input of the pipeline on an accelerator. The
same plan runs with copies that are begun early and with copies made where they are needed, in turn. Needs an
accelerator, or the software adapter that `scripts/install_software_gpu.sh` brings; says so where there is none.
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import csv_rows
import numpy as np
import torch
from numpy.typing import NDArray

import hetero as ht
from hetero.plans import Plan
from hetero.run import prefetch
from hetero.run.session import Session

MEGABYTES = (1, 4, 16)
SIDE = 700
"""Of a matrix whose square takes the CPU some milliseconds, without the interpreter's lock."""
REQUESTS = 40


class Scaled(torch.nn.Module):
    """Little work on a large input, as the first layer of a model that shrinks an image."""

    def forward(self, image: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        return (image * factor).amax(1)


@ht.node
def prepare(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    return (matrix @ matrix).max(keepdims=True).reshape(1, 1)


def plan_of(megabytes: int, accelerator: str) -> tuple[Plan, tuple[Any, ...]]:
    image = np.random.default_rng(0).random((megabytes * 256, 1024), np.float32)
    matrix = np.random.default_rng(1).random((SIDE, SIDE), np.float32)
    scaled = ht.from_torch(Scaled().eval(), (torch.zeros(2, 1024), torch.zeros(1, 1)), name="scaled")

    @ht.pipeline
    def scale(image: Any, matrix: Any) -> Any:
        return scaled(image, prepare(matrix))

    plan = ht.plan(scale, image, matrix, allow=[accelerator, "python"])
    return plan, (image, matrix)


def measured(megabytes: int, accelerator: str) -> list[tuple[str, float]]:
    """Median seconds of a request, early and in place."""
    plan, args = plan_of(megabytes, accelerator)
    with ExitStack() as stack:
        early = stack.enter_context(Session(plan))
        usual_s, prefetch.WORTH_S = prefetch.WORTH_S, float("inf")
        in_place = stack.enter_context(Session(plan))
        prefetch.WORTH_S = usual_s
        seconds: dict[str, list[float]] = {"begun early": [], "in place": []}
        for _ in range(REQUESTS):
            for name, session in (("begun early", early), ("in place", in_place)):
                start_s = perf_counter()
                session.call(args)
                seconds[name].append(perf_counter() - start_s)
    return [(name, statistics.median(found[5:])) for name, found in seconds.items()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    accelerators = [p.name for p in ht.Machine.detect().processors if p.memory_space != "host"]
    if not accelerators:
        print("not measured: no accelerator is here (scripts/install_software_gpu.sh brings a software one)")
        return
    rows = []
    for megabytes in MEGABYTES:
        found = measured(megabytes, accelerators[0])
        rows += [{"megabytes": megabytes, "copies": name, "seconds": seconds} for name, seconds in found]
        (_, early_s), (_, in_place_s) = found
        print(
            f"{megabytes:3} MB: {early_s * 1e3:7.2f} ms begun early, {in_place_s * 1e3:7.2f} ms in place, "
            f"{in_place_s / early_s:.2f}x",
            flush=True,
        )
    csv_rows.write(arguments.csv, rows)


if __name__ == "__main__":
    main()
