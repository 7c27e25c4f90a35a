"""Semantic indexing of real sentences: hetero against an ONNX Runtime loop.

    python benchmarks/indexing.py [--sentences 2000] [--rounds 5] [--csv FILE]

The sentences are taken from the docstrings of Python's standard library. All contestants encode them with the same
all-MiniLM-L6-v2, tokenising included. The loop takes 32 sentences after the other, each batch padded to its longest.
Two more are shown, of a more careful engineer: the loop over sentences sorted by length, on ONNX Runtime and OpenVINO.
hetero plans on 256 of the sentences, once with its own error limit and once with one that allows bf16.

Status 1 where the loop takes less than 1.5 times hetero's time, or a vector's cosine with torch's is below 0.999.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
from contestants import onnxruntime_defaults, openvino_fp32
from duel import Contestant, compete, headline, rows, serve, table, write_csv
from numpy.typing import NDArray

import hetero as ht
from hetero.graphs.minilm import sentence_encoder, tokenise
from hetero.graphs.semantic_search_pipeline import encoder, index_pipeline
from hetero.limits import Limits
from hetero.ops.base import Run

BATCH = 32
PLANNED_ON = 256
LEAST_COSINE = 0.999
GOAL = 1.5
LIMITS = {"hetero": None, "hetero, error 0.02": 0.02}
LOOPS = ("onnxruntime", "onnxruntime, sorted", "openvino fp32, sorted")

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


def sentences(count: int) -> list[str]:
    """That many different sentences of 4 words and more, in the order of the files, spread over all of them."""
    found: dict[str, None] = {}
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        for text in _docstrings(path):
            for paragraph in re.split(r"\n\s*\n", text):
                for sentence in re.split(r"(?<=[.!?])\s+", " ".join(paragraph.split())):
                    if len(sentence.split()) >= 4 and sentence[0].isupper() and sentence[-1] in ".!?":
                        found[sentence] = None
    every = list(found)
    if len(every) < count:
        raise SystemExit(f"the standard library has {len(every)} sentences here, {count} were asked for")
    return [every[i * len(every) // count] for i in range(count)]


def _docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8", errors="replace"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def loop(run: Run, *, in_order_of_length: bool) -> Encode:
    """Batch after batch through one engine."""

    def encode(lines: Sequence[str]) -> NDArray[np.float32]:
        order = (
            sorted(range(len(lines)), key=lambda i: len(lines[i]))
            if in_order_of_length
            else range(len(lines))
        )
        found = np.empty((len(lines), 384), np.float32)
        for start in range(0, len(lines), BATCH):
            own = list(order[start : start + BATCH])
            (found[own],) = run(*tokenise([lines[i] for i in own]))
        return found

    return encode


def planned(lines: Sequence[str], limit: float | None) -> tuple[Encode, dict[str, Any]]:
    """hetero's plan, made on some of the sentences."""
    sample = [lines[i * len(lines) // PLANNED_ON] for i in range(PLANNED_ON)]
    plan = ht.plan(index_pipeline(encoder()), sample, limits=Limits(error=limit))
    about = {"placement": str(plan.choices["map#1/encode"]), "error": plan.estimate.error}
    return lambda texts: np.concatenate(plan(list(texts))), about


def contestant(name: str, lines: Sequence[str]) -> tuple[Encode, dict[str, Any]]:
    if name in LIMITS:
        return planned(lines, LIMITS[name])
    load = onnxruntime_defaults if name.startswith("onnxruntime") else openvino_fp32
    run = load(encoder().op)
    return loop(run, in_order_of_length="sorted" in name), {"placement": f"batches of {BATCH}"}


def be_contestant(name: str, count: int, folder: str) -> None:
    """Run in a process of its own; the vectors go to a file, to be compared."""
    lines = sentences(count)
    encode, about = contestant(name, lines)
    vectors = Path(folder) / f"{name}.npy"
    np.save(vectors, encode(lines))
    serve({"": lambda: encode(lines)}, {**about, "vectors": str(vectors)})


def reference(lines: Sequence[str]) -> NDArray[np.float32]:
    """Each sentence alone through torch."""
    import torch

    module = sentence_encoder()
    with torch.inference_mode():
        return np.concatenate([module(*map(torch.from_numpy, tokenise([line]))).numpy() for line in lines])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=1, help="in a block")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--contestant", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        be_contestant(options.contestant[0], options.sentences, options.contestant[1])
        return 0
    lines = sentences(options.sentences)
    words = sum(len(line.split()) for line in lines)
    print(headline(f"indexing {len(lines)} sentences of {words / len(lines):.0f} words"))
    right = reference(lines)
    names = [*LIMITS, *LOOPS]
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory())
        # Started one after the other: hetero measures while it plans.
        command = [__file__, "--sentences", str(options.sentences), "--contestant"]
        rivals = [opened.enter_context(closing(Contestant(n, [*command, n, folder]))) for n in names]
        cosines = {one.name: _least_cosine(right, np.load(one.about["vectors"])) for one in rivals}
        found = rows(compete(rivals, options.rounds, options.runs))
    for row, one in zip(found, rivals, strict=True):
        row |= {"least_cosine": f"{cosines[one.name]:.6f}", "how": one.about["placement"]}
    print(table(found, ("least_cosine", "how")))
    write_csv(options.csv, found)
    gain = next(row["times_hetero"] for row in found if row["contestant"] == "onnxruntime")
    least = min(cosines[name] for name in LIMITS)
    careful = min(row["times_hetero"] for row in found if row["contestant"] in LOOPS)
    print(f"hetero is {gain:.2f} times faster than the loop, {careful:.2f} times than the best of the others")
    print(json.dumps({"gain": gain, "least_cosine": least}))
    return 0 if gain >= GOAL and least >= LEAST_COSINE else 1


def _least_cosine(right: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """The smallest cosine of a sentence's two vectors."""
    lengths = np.linalg.norm(right, axis=1) * np.linalg.norm(found, axis=1)
    return float(((right * found).sum(axis=1) / lengths).min())


if __name__ == "__main__":
    sys.exit(main())
