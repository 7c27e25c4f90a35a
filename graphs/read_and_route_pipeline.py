"""The nodes of the `read_and_route` pipeline, and how they are joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hetero as ht
from hetero.graphs import minilm
from hetero.graphs.business_lines import EXAMPLES
from hetero.graphs.image_files import as_bgr
from hetero.graphs.kernels import fit_svm, gaussian, squared_distances
from hetero.graphs.ocr import Line
from hetero.graphs.ocr_pipeline import ocr_pipeline
from hetero.graphs.quantum_classifier import QuantumClassifier
from hetero.graphs.quantum_features import feature_circuit, observables
from hetero.graphs.read_and_route import NAME, RoutedLine, RoutedPage
from hetero.graphs.semantic_search_pipeline import encoder, index_pipeline
from hetero.tracing import Pipeline

__all__ = ["read_and_route_pipeline"]

SURE = 0.9
"""Mean confidence of a page's lines from which on nobody has to look at it."""


def read_and_route_pipeline() -> Pipeline:
    """Models loaded, classifiers fitted, nodes joined: `hetero.graphs.read_and_route.build` is the way in."""
    encode = encoder()
    index = index_pipeline(encode)
    project = ht.from_qiskit(feature_circuit(), observables=observables(), name="project")
    ocr = ocr_pipeline()
    texts, kinds = _examples()
    (examples,) = encode.op.load()(*minilm.tokenise(texts))
    quantum = QuantumClassifier.fit(examples, kinds)
    example_angles = quantum.angles(examples)
    classical, gamma = fit_svm(squared_distances(example_angles, example_angles), kinds)

    @ht.node
    def angles(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Eight angles a line, radians (lines, 8)."""
        return quantum.angles(vectors)

    @ht.node
    def quantum_kinds(expectations: NDArray[np.float64]) -> list[str]:
        """What each line is about, by the projected quantum kernel."""
        return [str(kind) for kind in quantum.predict(expectations)]

    @ht.node
    def classical_kinds(turned: NDArray[np.float64]) -> list[str]:
        """What each line is about, by the classical kernel on the same angles."""
        if not len(turned):
            return []
        kernel = gaussian(squared_distances(turned, example_angles), gamma)
        return [str(kind) for kind in classical.predict(kernel)]

    @ht.pipeline(name=NAME)
    def read_and_route(page: Any) -> Any:
        first = ocr(page)
        lines = ht.branch(is_sure(first), lambda: first, lambda: better(first, ocr(enlarged(page))))
        turned = angles(table(index(texts_of(lines))))
        return route(first, lines, quantum_kinds(project(turned)), classical_kinds(turned))

    return read_and_route


@ht.node
def is_sure(lines: Sequence[Line]) -> bool:
    """Whether the page was read so well that one reading is enough."""
    return mean_confidence(lines) >= SURE


@ht.node
def enlarged(page: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The page at twice its size: small print is what a recogniser is least sure of."""
    import cv2

    return np.asarray(cv2.resize(as_bgr(page), None, fx=2.0, fy=2.0, interpolation=cv2.INTER_CUBIC), np.uint8)


@ht.node
def better(first: list[Line], second: list[Line]) -> list[Line]:
    """The reading with the higher confidence; the boxes of the second are brought back to the page's own size."""
    if mean_confidence(second) <= mean_confidence(first):
        return first
    return [Line(line.text, line.confidence, tuple((x / 2, y / 2) for x, y in line.box)) for line in second]


@ht.node
def texts_of(lines: Sequence[Line]) -> list[str]:
    return [line.text for line in lines]


@ht.node
def table(vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """The lines' embeddings under each other, (lines, 384); none where there is no line."""
    return np.concatenate([*vectors, np.zeros((0, 384))])


@ht.node
def route(first: list[Line], lines: list[Line], quantum: list[str], classical: list[str]) -> RoutedPage:
    """Everything that is known of the page, and where it goes."""
    confidence = mean_confidence(lines)
    return RoutedPage(
        route="straight" if confidence >= SURE else "person",
        readings=1 if mean_confidence(first) >= SURE else 2,
        confidence=confidence,
        lines=tuple(
            RoutedLine(line.text, line.confidence, q, c)
            for line, q, c in zip(lines, quantum, classical, strict=True)
        ),
    )


def mean_confidence(lines: Sequence[Line]) -> float:
    """0 for a page on which nothing was read.

    >>> mean_confidence([Line("a", 0.5, ()), Line("b", 1.0, ())])
    0.75
    """
    return sum(line.confidence for line in lines) / len(lines) if lines else 0.0


def _examples() -> tuple[list[str], NDArray[np.str_]]:
    """The labelled lines and their kinds, in one order."""
    pairs = [(text, kind) for kind, texts in EXAMPLES.items() for text in texts]
    return [text for text, _ in pairs], np.array([kind for _, kind in pairs])
