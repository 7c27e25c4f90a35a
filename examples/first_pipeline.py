"""A first pipeline of one's own: Python functions around a torch module, applied to as many tiles as an image has."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

import hetero as ht

torch.manual_seed(0)
layers = (torch.nn.Conv2d(3, 32, 5), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
score = ht.from_torch(torch.nn.Sequential(*layers, torch.nn.Linear(32, 1)), torch.zeros(1, 3, 64, 64), name="score")


@ht.node
def tiles(image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Squares of 64 x 64 pixels."""
    rows, columns = image.shape[2] // 64, image.shape[3] // 64
    return [image[:, :, 64 * i : 64 * i + 64, 64 * j : 64 * j + 64] for i in range(rows) for j in range(columns)]


@ht.node
def best(scores: list[NDArray[np.float32]]) -> int:
    """Number of the tile with the highest score."""
    return int(np.argmax([value.item() for value in scores]))


@ht.pipeline
def brightest(image):  # type: ignore[no-untyped-def]
    return best(ht.map(score, tiles(image)))


if __name__ == "__main__":
    image = np.random.default_rng(0).random((1, 3, 256, 512), np.float32)
    with ht.plan(brightest, image) as plan:
        print(plan.explain())  # which engine, how many threads, how many lanes; what lost, and by how much
        print("the best tile is number", plan(image))
