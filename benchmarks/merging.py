"""Models that follow each other: the plan of them apart, as one model, and what the planner takes.

    python benchmarks/merging.py [--rounds 40] [--csv FILE]

Four pairs: pixels normalised and a MobileNetV2; an autoencoder twice; a DistilBERT and a classifier; a U-Net and
the winner of each pixel. Both plans run in one process, in turns.

Status 1 where the planner took the form that is slower by more than 3 % on the clock, or outputs differ by over 1e-4.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from duel import headline, write_csv
from torch import nn
from torch_zoo import build

import hetero as ht
from hetero.cost.difference import relative_l2
from hetero.rewrite.merge import with_models_merged
from hetero.show import seconds, text_table

TOLERANCE = 1.03
LARGEST_ERROR = 1e-4
PAUSE_S = 0.02
"""Between two plans: the threads of one have gone to sleep when the other runs."""


class Normalise(nn.Module):
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return (pixels.permute(0, 3, 1, 2).float() / 255 - 0.45) / 0.225


class Classify(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 10)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.linear(tokens.mean(dim=1)), dim=-1)


class Winner(nn.Module):
    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        return scores.argmax(dim=1)


def pairs() -> Iterator[tuple[str, Any, Any, Any]]:
    """Name, both models as ONNX nodes, an input."""
    random = np.random.default_rng(0)
    image = random.integers(0, 255, (1, 224, 224, 3)).astype(np.uint8)
    zoo = {name: build(name) for name in ("mobilenet-v2", "autoencoder", "distilbert", "u-net")}
    nodes = {name: as_onnx(module, example, name) for name, (module, example) in zoo.items()}
    torch.manual_seed(0)
    yield "pixels, MobileNetV2", as_onnx(Normalise(), (image,), "normalise"), nodes["mobilenet-v2"], image
    module, (rows,) = zoo["autoencoder"]
    yield "autoencoder twice", nodes["autoencoder"], as_onnx(module, (rows,), "again"), rows
    found = random.normal(size=(1, 16, 384)).astype(np.float32)
    (tokens,) = zoo["distilbert"][1]
    yield "DistilBERT, classifier", nodes["distilbert"], as_onnx(Classify(384), (found,), "classify"), tokens
    scores = random.normal(size=(1, 2, 128, 128)).astype(np.float32)
    yield "U-Net, winners", nodes["u-net"], as_onnx(Winner(), (scores,), "winner"), zoo["u-net"][1][0]


def as_onnx(module: nn.Module, example: tuple[Any, ...], name: str) -> Any:
    op = ht.from_torch(module.eval(), example, name=name).op.as_onnx()  # type: ignore[attr-defined]
    return ht.from_onnx(op.file.source, name=name)


def compare(name: str, first: Any, second: Any, x: Any, rounds: int) -> dict[str, Any]:
    def both(x: Any) -> tuple[Any, Any]:
        between = first(x)
        return between, second(between)

    pipeline = ht.pipeline(lambda x: second(first(x)))
    merged, _ = with_models_merged(pipeline.trace())
    # Models stay apart where the first one's result is asked for too.
    with ht.plan(pipeline, x) as taken, ht.plan(ht.pipeline(both), x) as apart, ht.plan(merged, x) as one:
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            for plan, own in zip((apart, one), times, strict=True):
                time.sleep(PAUSE_S)
                plan(x)
                started = time.perf_counter()
                plan(x)
                own.append(time.perf_counter() - started)
        return {
            "pair": name,
            "apart_s": median(times[0]),
            "one_s": median(times[1]),
            "gain": median(a / b for a, b in zip(*times, strict=True)),
            "taken": "one model" if any("+" in path for path in taken.placement) else "apart",
            "difference": relative_l2(apart(x)[1], one(x)),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    print(headline("two models, apart and as one"))
    found = [compare(*pair, options.rounds) for pair in pairs()]
    shown = [
        [
            row["pair"],
            seconds(row["apart_s"]),
            seconds(row["one_s"]),
            f"{row['gain']:.2f}",
            row["taken"],
            f"{row['difference']:.0e}",
        ]
        for row in found
    ]
    print(text_table(["pair", "apart", "as one model", "gain", "the plan takes", "outputs differ"], shown))
    write_csv(options.csv, found)
    slower = [row["pair"] for row in found if loss(row) > TOLERANCE]
    wrong = [row["pair"] for row in found if not row["difference"] <= LARGEST_ERROR]
    print(
        f"{'MISSED' if slower else 'held  '} the form that was taken is not slower by 3 %: {slower or 'on none'}"
    )
    print(
        f"{'MISSED' if wrong else 'held  '} outputs off by more than {LARGEST_ERROR:.0e}: {wrong or 'none'}"
    )
    return 1 if slower or wrong else 0


def loss(row: dict[str, Any]) -> float:
    """How many times the other form's time the form that was taken takes."""
    gain: float = row["gain"]
    return 1 / gain if row["taken"] == "one model" else gain


if __name__ == "__main__":
    sys.exit(main())
