"""A first pipeline of one's own: Python functions around a torch module, applied to as many tiles as an image has."""

import numpy as np
import torch

import hetero as ht

torch.manual_seed(0)
conv = torch.nn.Sequential(torch.nn.Conv2d(3, 32, 5), torch.nn.ReLU(), torch.nn.AdaptiveMaxPool2d(1))
score = ht.from_torch(conv, torch.zeros(1, 3, 64, 64), name="score")  # or ht.from_onnx("score.onnx")


@ht.node
def tiles(image):
    return [image[..., y : y + 64, x : x + 64] for y in range(0, 256, 64) for x in range(0, 512, 64)]


@ht.node
def best(scores):
    return int(np.argmax([values.mean() for values in scores]))


@ht.pipeline
def brightest(image):
    return best(ht.map(score, tiles(image)))


if __name__ == "__main__":
    image = np.random.default_rng(0).random((1, 3, 256, 512), np.float32)
    plan = ht.plan(brightest, image)  # measures every option, solves, compares with the reference
    print(plan.explain())  # what runs where, what lost and by how much, the proven bound
    print("the best tile is number", plan(image))
