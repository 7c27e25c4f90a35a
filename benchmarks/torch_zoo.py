"""Ten architectures as torch modules, small, with random weights: how long a model takes does not hang on them.

Most are those of the transformers library by their published configurations, at widths that a CPU serves quickly.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["ZOO", "build"]

Example = tuple[np.ndarray[Any, Any], ...]


class Only(nn.Module):
    """A transformers model that gives one tensor instead of a record of many."""

    def __init__(self, model: nn.Module, input_name: str, output: str = "last_hidden_state") -> None:
        super().__init__()
        self.model, self.input_name, self.output = model, input_name, output

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = getattr(self.model(**{self.input_name: x}), self.output)
        return found


class Tagger(nn.Module):
    """A label for each token, by a bidirectional LSTM of two layers (Graves and Schmidhuber, 2005)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5000, 128)
        self.lstm = nn.LSTM(128, 128, num_layers=2, bidirectional=True, batch_first=True)
        self.label = nn.Linear(256, 20)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        labels: torch.Tensor = self.label(self.lstm(self.embed(x))[0])
        return labels


def _block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
    )  # fmt: skip


class UNet(nn.Module):
    """Segmentation with skips (Ronneberger et al., arXiv:1505.04597), three levels."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.down = nn.ModuleList([_block(3, width), _block(width, 2 * width), _block(2 * width, 4 * width)])
        self.grow = nn.ModuleList(
            [nn.ConvTranspose2d(4 * width, 2 * width, 2, 2), nn.ConvTranspose2d(2 * width, width, 2, 2)]
        )
        self.up = nn.ModuleList([_block(4 * width, 2 * width), _block(2 * width, width)])
        self.last = nn.Conv2d(width, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.down[0](x)
        second = self.down[1](nn.functional.max_pool2d(first, 2))
        third = self.down[2](nn.functional.max_pool2d(second, 2))
        above = self.up[0](torch.cat([self.grow[0](third), second], dim=1))
        out: torch.Tensor = self.last(self.up[1](torch.cat([self.grow[1](above), first], dim=1)))
        return out


class Autoencoder(nn.Module):
    """Rows of a table to their reconstruction: products of matrices, and nothing else to gain from."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (512, 1024, 256, 64, 256, 1024, 512)
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.GELU())]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(x)
        return out


def _transformers(
    kind: str, options: dict[str, Any], input_name: str, output: str = "last_hidden_state"
) -> nn.Module:
    import transformers

    config = getattr(transformers, f"{kind}Config")(**options)
    return Only(getattr(transformers, f"{kind}Model")(config), input_name, output)


def _pixels(side: int) -> Example:
    return (np.random.default_rng(0).normal(size=(1, 3, side, side)).astype(np.float32),)


def _tokens(count: int, words: int = 5000) -> Example:
    return (np.random.default_rng(0).integers(1, words, (1, count)),)


_EAGER = {"attn_implementation": "eager"}
"""Attention step by step, which every exporter understands."""
_SMALL = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 6, "intermediate_size": 1536}
_TEXT = {**_SMALL, **_EAGER, "vocab_size": 5000}

ZOO: dict[str, tuple[Callable[[], nn.Module], Example]] = {
    "resnet-18": (
        lambda: _transformers(
            "ResNet",
            {"layer_type": "basic", "depths": [2, 2, 2, 2], "hidden_sizes": [64, 128, 256, 512], "embedding_size": 64},
            "pixel_values",
            "pooler_output",
        ),
        _pixels(224),
    ),
    "mobilenet-v2": (lambda: _transformers("MobileNetV2", {}, "pixel_values", "pooler_output"), _pixels(224)),
    "convnext": (
        lambda: _transformers("ConvNext", {"depths": [2, 2, 6, 2], "hidden_sizes": [40, 80, 160, 320]}, "pixel_values"),
        _pixels(224),
    ),
    "vit-small": (lambda: _transformers("ViT", {**_SMALL, **_EAGER}, "pixel_values"), _pixels(224)),
    "segformer-b0": (lambda: _transformers("Segformer", {}, "pixel_values"), _pixels(256)),
    "bert-small": (lambda: _transformers("Bert", _TEXT, "input_ids"), _tokens(64)),
    "distilbert": (
        lambda: _transformers(
            "DistilBert", {"dim": 384, "n_layers": 6, "n_heads": 6, "hidden_dim": 1536, "vocab_size": 5000, **_EAGER},
            "input_ids",
        ),
        _tokens(16),
    ),
    "lstm-tagger": (Tagger, _tokens(64)),
    "u-net": (UNet, _pixels(128)),
    "autoencoder": (Autoencoder, (np.random.default_rng(0).normal(size=(8, 512)).astype(np.float32),)),
}  # fmt: skip
"""Name to what makes the module, and its inputs."""


def build(name: str) -> tuple[nn.Module, Example]:
    """The module in evaluation mode, the same weights in every process."""
    make, example = ZOO[name]
    torch.manual_seed(0)
    return make().eval().requires_grad_(False), example
