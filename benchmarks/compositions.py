"""Twenty pipelines of real models, small and unlike each other, that no benchmark tuned anything on.

Chains, branches of different engines side by side, maps with different fan-out, branches, and models beside circuits.
The text models are PP-OCR's detector, classifier and recogniser and the sentence encoder MiniLM with their trained
weights; `Features` and `Series` are torch modules with weights of a fixed seed, since only their time matters here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import hetero as ht
from hetero.graphs import minilm
from hetero.graphs.images import form, scanned_page
from hetero.graphs.ocr_detection import detector_input, text_boxes
from hetero.graphs.ocr_models import CLASSIFIER, DETECTOR, RECOGNISER, alphabet, model_path
from hetero.graphs.ocr_recognition import CLASSIFIER_WIDTH, ctc_text, line_input
from hetero.graphs.quantum_features import QUBITS, feature_circuit, observables
from hetero.graphs.sentences import SENTENCES
from hetero.tracing import Callee, Pipeline

__all__ = ["COMPOSITIONS", "Features", "Series"]

Composition = Callable[[], tuple[Pipeline, tuple[Any, ...]]]
"""Builds a pipeline and one call's arguments."""


class Features(torch.nn.Module):
    """A residual convolutional network: image (n, 3, 112, 112) to features (n, 128)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = torch.nn.Conv2d(3, 32, 5, stride=2, padding=2)
        self.blocks = torch.nn.ModuleList(
            torch.nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in ((32, 64), (64, 128))
        )
        self.residuals = torch.nn.ModuleList(torch.nn.Conv2d(c, c, 3, padding=1) for c in (64, 128))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(image))
        for down, same in zip(self.blocks, self.residuals, strict=True):
            x = torch.relu(down(x))
            x = torch.relu(x + same(x))
        return x.mean((2, 3))


class Series(torch.nn.Module):
    """A recurrent network: series (n, steps, 16) to (n, 64)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.recurrent = torch.nn.LSTM(16, 96, num_layers=2, batch_first=True)
        self.head = torch.nn.Linear(96, 64)

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        states, _ = self.recurrent(series)
        return self.head(states[:, -1])


@cache
def detect() -> Callee:
    return ht.from_onnx(model_path(DETECTOR), name="detect")


@cache
def classify() -> Callee:
    return ht.from_onnx(model_path(CLASSIFIER), name="classify")


@cache
def recognise() -> Callee:
    return ht.from_onnx(model_path(RECOGNISER), name="recognise")


@cache
def encode() -> Callee:
    example = minilm.tokenise(["A bridge.", "A bridge over the river."])
    return ht.from_torch(minilm.sentence_encoder(), example, name="encode")


@cache
def features() -> Callee:
    return ht.from_torch(Features().eval(), torch.zeros(2, 3, 112, 112), name="features")


@cache
def series() -> Callee:
    return ht.from_torch(Series().eval(), torch.zeros(2, 40, 16), name="series")


def project(qubits: int) -> Callee:
    return ht.from_qiskit(feature_circuit(qubits), observables=observables(qubits), name=f"project_{qubits}")


@ht.node
def pixels(page: NDArray[np.uint8]) -> NDArray[np.float32]:
    return detector_input(page)


@ht.node
def boxes(probability: NDArray[np.float32], page: NDArray[np.uint8]) -> NDArray[np.float32]:
    return text_boxes(probability, page.shape[0], page.shape[1])


@ht.node
def ink(page: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How dark each row and each column of a page is."""
    dark = 255.0 - page.mean(2)
    return np.concatenate([dark.mean(0), dark.mean(1)])


@ht.node
def for_classifier(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    return line_input(crop, CLASSIFIER_WIDTH)


@ht.node
def for_recogniser(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    return line_input(crop, max(320, 48 * crop.shape[1] // crop.shape[0]))


@ht.node(outputs=1)
def text(probabilities: NDArray[np.float32]) -> tuple[str, float]:
    return ctc_text(probabilities, alphabet())


@ht.node
def is_upright(orientation: NDArray[np.float32]) -> bool:
    return bool(orientation[0, 0] >= orientation[0, 1])


@ht.node
def turned(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(crop[::-1, ::-1])


tokenise = ht.node(minilm.tokenise)


@ht.node
def similarities(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors @ vectors.T


@ht.node
def stack(vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate(list(vectors))


@ht.node
def angles(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """As many angles as the circuit has qubits, from the first numbers of each vector."""
    return np.pi / 4 * np.tanh(np.asarray(vectors[:, :QUBITS], np.float64) * 8)


@ht.node
def is_short(sentences: Sequence[str]) -> bool:
    return sum(map(len, sentences)) < 200


@ht.node
def first_half(sentences: Sequence[str]) -> list[str]:
    return list(sentences[: len(sentences) // 2])


def line_crops(count: int) -> list[NDArray[np.uint8]]:
    """Lines of a rendered form, each cut out of it."""
    page = form(max(count, 4))
    rows = np.array_split(np.arange(page.shape[0]), count)
    return [
        np.ascontiguousarray(page[own[0] : own[-1] + 1, : 240 + 40 * (i % 4)]) for i, own in enumerate(rows)
    ]


def images(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).random((count, 3, 112, 112), np.float32)


def signals(count: int, steps: int = 40) -> NDArray[np.float32]:
    return np.random.default_rng(1).random((count, steps, 16), np.float32)


def parameter_sets(count: int, qubits: int) -> NDArray[np.float64]:
    return np.random.default_rng(2).random((count, qubits))


@ht.pipeline
def embed(sentences: Any) -> Any:
    ids, mask = tokenise(sentences)
    return encode()(ids, mask)


@ht.pipeline
def read(crop: Any) -> Any:
    return text(recognise()(for_recogniser(crop)))


# Chains.


def find_text() -> tuple[Pipeline, tuple[Any, ...]]:
    @ht.pipeline
    def find_text(page: Any) -> Any:
        return boxes(detect()(pixels(page)), page)

    return find_text, (scanned_page(),)


def read_line() -> tuple[Pipeline, tuple[Any, ...]]:
    @ht.pipeline
    def read_line(crop: Any) -> Any:
        return classify()(for_classifier(crop)), read(crop)

    return read_line, (line_crops(8)[0],)


def embed_one() -> tuple[Pipeline, tuple[Any, ...]]:
    return embed, ([SENTENCES[0]],)


def compare_32() -> tuple[Pipeline, tuple[Any, ...]]:
    @ht.pipeline
    def compare_32(sentences: Any) -> Any:
        return similarities(embed(sentences))

    return compare_32, (list(SENTENCES[:32]),)


def image_features() -> tuple[Pipeline, tuple[Any, ...]]:
    @ht.pipeline
    def image_features(batch: Any) -> Any:
        return similarities(features()(batch))

    return image_features, (images(4),)


# Side by side.


def page_and_text() -> tuple[Pipeline, tuple[Any, ...]]:
    @ht.pipeline
    def page_and_text(page: Any, sentences: Any) -> Any:
        return boxes(detect()(pixels(page)), page), embed(sentences)

    return page_and_text, (scanned_page(), list(SENTENCES[:8]))


def two_readers() -> tuple[Pipeline, tuple[Any, ...]]:
    @ht.pipeline
    def two_readers(left: Any, right: Any) -> Any:
        return read(left), read(right)

    crops = line_crops(8)
    return two_readers, (crops[0], crops[3])


def three_models() -> tuple[Pipeline, tuple[Any, ...]]:
    @ht.pipeline
    def three_models(batch: Any, signal: Any, sentences: Any) -> Any:
        return features()(batch), series()(signal), embed(sentences)

    return three_models, (images(2), signals(4), list(SENTENCES[:4]))


def image_and_series() -> tuple[Pipeline, tuple[Any, ...]]:
    @ht.pipeline
    def image_and_series(batch: Any, signal: Any) -> Any:
        return similarities(features()(batch)), similarities(series()(signal))

    return image_and_series, (images(8), signals(16, 80))


def diamond() -> tuple[Pipeline, tuple[Any, ...]]:
    @ht.pipeline
    def diamond(page: Any) -> Any:
        seen = pixels(page)
        return boxes(detect()(seen), page), ink(page)

    return diamond, (scanned_page(),)


# Maps.


def read_3() -> tuple[Pipeline, tuple[Any, ...]]:
    return _reading("read_3", 3)


def read_12() -> tuple[Pipeline, tuple[Any, ...]]:
    return _reading("read_12", 12)


def _reading(name: str, count: int) -> tuple[Pipeline, tuple[Any, ...]]:
    @ht.pipeline(name=name)
    def reading(crops: Any) -> Any:
        return ht.map(read, crops)

    return reading, (line_crops(count),)


def embed_5() -> tuple[Pipeline, tuple[Any, ...]]:
    return _embedding("embed_5", 5)


def embed_40() -> tuple[Pipeline, tuple[Any, ...]]:
    return _embedding("embed_40", 40)


def _embedding(name: str, count: int) -> tuple[Pipeline, tuple[Any, ...]]:
    @ht.pipeline(name=name)
    def embedding(lists: Any) -> Any:
        return similarities(stack(ht.map(embed, lists)))

    return embedding, ([[sentence] for sentence in SENTENCES[:count]],)


def classify_20() -> tuple[Pipeline, tuple[Any, ...]]:
    @ht.pipeline
    def upright(crop: Any) -> Any:
        return is_upright(classify()(for_classifier(crop)))

    @ht.pipeline
    def classify_20(crops: Any) -> Any:
        return ht.map(upright, crops)

    return classify_20, (line_crops(20),)


# Branches.


def read_upright() -> tuple[Pipeline, tuple[Any, ...]]:
    @ht.pipeline
    def read_upright(crop: Any) -> Any:
        straight = is_upright(classify()(for_classifier(crop)))
        return ht.branch(straight, lambda: read(crop), lambda: read(turned(crop)))

    return read_upright, (line_crops(8)[1],)


def embed_by_length() -> tuple[Pipeline, tuple[Any, ...]]:
    @ht.pipeline
    def embed_by_length(sentences: Any) -> Any:
        return ht.branch(is_short(sentences), lambda: embed(sentences), lambda: embed(first_half(sentences)))

    return embed_by_length, (list(SENTENCES[:16]),)


# Models beside circuits.


def circuit_beside_text() -> tuple[Pipeline, tuple[Any, ...]]:
    estimate = project(10)

    @ht.pipeline
    def circuit_beside_text(parameters: Any, sentences: Any) -> Any:
        return estimate(parameters), embed(sentences)

    return circuit_beside_text, (parameter_sets(24, 10), list(SENTENCES[:12]))


def embed_and_project() -> tuple[Pipeline, tuple[Any, ...]]:
    estimate = project(QUBITS)

    @ht.pipeline
    def embed_and_project(sentences: Any) -> Any:
        return similarities(estimate(angles(embed(sentences))))

    return embed_and_project, (list(SENTENCES[:16]),)


def circuit_beside_image() -> tuple[Pipeline, tuple[Any, ...]]:
    estimate = project(12)

    @ht.pipeline
    def circuit_beside_image(parameters: Any, batch: Any) -> Any:
        return estimate(parameters), similarities(features()(batch))

    return circuit_beside_image, (parameter_sets(8, 12), images(6))


COMPOSITIONS: dict[str, Composition] = {
    build.__name__: build
    for build in (
        find_text,
        read_line,
        embed_one,
        compare_32,
        image_features,
        page_and_text,
        two_readers,
        three_models,
        image_and_series,
        diamond,
        read_3,
        read_12,
        embed_5,
        embed_40,
        classify_20,
        read_upright,
        embed_by_length,
        circuit_beside_text,
        embed_and_project,
        circuit_beside_image,
    )
}
"""By name, in the order: chains, side by side, maps, branches, models beside circuits."""
