"""Single torch modules: hetero against torch eager, and against each engine with its best setting.

    python benchmarks/torch_models.py [--models NAME ...] [--processes 3] [--rounds 3] [--csv FILE]

Every engine runs all the models, in fp32, with its own defaults and with one and with all cores. A model is exported to
ONNX once, for whoever wants it so, and its outputs are compared with torch's. Where hetero's choice does not pay the
table says so.

How the memory of a process happens to lie makes a model up to 10 % faster or slower in it for good, whichever engine
runs it: so every contestant is started several times.

Status 1 where torch eager takes less than 2 times hetero's time in geometric mean, or the best setting of one engine,
the same for all models, beats hetero on a model by more than 2 %.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import numpy as np
from duel import Contestant, compete, headline, machine, rows, serve, table, write_csv
from torch_zoo import ZOO, build

import hetero as ht
from hetero.ops.onnx import OnnxOp

GOAL = 2.0
TOLERANCE = 1.02
LARGEST_ERROR = 1e-4
BLOCK_S = 0.3
Call = Callable[[], Any]


def contestants(cores: int) -> tuple[str, ...]:
    """hetero first, then the engines: torch eager as it is, the others with each setting."""
    counts = dict.fromkeys((1, cores))
    engines = [f"{engine} {n}" for engine in ("onnxruntime", "openvino", "torch") for n in counts]
    return ("hetero", "torch eager", "onnxruntime", "openvino", *engines)


def call(contestant: str, name: str) -> tuple[Call, str]:
    """What runs a model once, and how."""
    module, example = build(name)
    engine, _, threads = contestant.partition(" ")
    if engine == "hetero":
        plan = ht.plan(ht.from_torch(module, example, name="model"), *example)
        return lambda: plan(*example), str(plan.choices["model"])
    if engine == "torch":
        return torch_call(module, example, threads), contestant
    model = ht.from_torch(module, example, name="model").op.as_onnx()  # type: ignore[attr-defined]
    feeds = dict(zip(model.inputs, example, strict=True))
    made = onnxruntime_call if engine == "onnxruntime" else openvino_call
    return made(model, feeds, threads), contestant


def torch_call(module: Any, example: tuple[Any, ...], threads: str) -> Call:
    import torch

    if threads.isdigit():
        torch.set_num_threads(int(threads))
    tensors = [torch.from_numpy(array) for array in example]

    def run() -> Any:
        with torch.inference_mode():
            return module(*tensors).numpy()

    return run


def onnxruntime_call(model: OnnxOp, feeds: dict[str, Any], threads: str) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if threads:
        options.intra_op_num_threads = int(threads)
    session = onnxruntime.InferenceSession(model.file.source, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feeds)[0]


def openvino_call(model: OnnxOp, feeds: dict[str, Any], threads: str) -> Call:
    import openvino

    config: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32"}
    if threads:
        config |= {"INFERENCE_NUM_THREADS": int(threads), "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    request = openvino.compile_model(model.file.source, "CPU", config).create_infer_request()
    return lambda: request.infer(feeds, share_inputs=True)[0]


def repeated(run: Call, runs: int) -> Call:
    def several() -> None:
        for _ in range(runs):
            run()

    return several


def be_contestant(name: str, models: list[str], runs: dict[str, int]) -> None:
    """A task a model: as many runs of it as make a block long enough for the clock."""
    made = {model: call(name, model) for model in models}
    errors = {}
    for model, (run, _) in made.items():
        expected, found = torch_call(*build(model), "")(), np.asarray(run())
        errors[model] = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    tasks = {model: repeated(run, runs[model]) for model, (run, _) in made.items()}
    serve(tasks, {"how": {model: how for model, (_, how) in made.items()}, "errors": errors})


def runs_for(models: list[str]) -> dict[str, int]:
    """How many runs of each model fill a block, by torch eager."""
    found = {}
    for model in models:
        run = torch_call(*build(model), "")
        run()
        started = time.perf_counter()
        run()
        found[model] = max(1, round(BLOCK_S / (time.perf_counter() - started)))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", choices=ZOO, default=list(ZOO))
    parser.add_argument("--rounds", type=int, default=3, help="in each process")
    parser.add_argument(
        "--processes", type=int, default=3, help="that each contestant is started in, in turn"
    )
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--contestant", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        runs = json.loads(options.contestant[1])
        be_contestant(options.contestant[0], list(runs), runs)
        return 0
    print(headline(f"{len(options.models)} torch modules"))
    runs = runs_for(options.models)
    blocks: dict[str, dict[str, list[list[float]]]] = {model: {} for model in options.models}
    for _ in range(options.processes):
        with ExitStack() as opened:
            # Started one after the other: hetero measures while it plans.
            rivals = [
                opened.enter_context(
                    closing(Contestant(name, [__file__, "--contestant", name, json.dumps(runs)]))
                )
                for name in contestants(machine()["cores"])
            ]
            for model in options.models:
                for name, own in compete(rivals, options.rounds, 1, model).items():
                    blocks[model].setdefault(name, []).extend(own)
    found = {model: rows(own) for model, own in blocks.items()}
    for model, own in found.items():
        for row, one in zip(own, rivals, strict=True):
            for key in ("median_s", "p99_s", "middle_half_s"):
                row[key] /= runs[model]
            row |= {"model": model, "how": one.about["how"][model], "error": one.about["errors"][model]}
        print(f"\n{model}\n{table(own, ('how',))}")
    write_csv(options.csv, [row for own in found.values() for row in own])
    return 0 if _verdict(found) else 1


def _verdict(found: dict[str, list[dict[str, Any]]]) -> bool:
    """Prints what was reached beside what was aimed at; a summary line a model."""
    times = {model: {row["contestant"]: row["times_hetero"] for row in own} for model, own in found.items()}
    settings = [name for name in next(iter(times.values())) if name != "hetero"]
    best = min(settings, key=lambda name: geometric_mean(own[name] for own in times.values()))
    gain = geometric_mean(own["torch eager"] for own in times.values())
    over_best = geometric_mean(own[best] for own in times.values())
    beaten = {model: own[best] for model, own in times.items() if own[best] * TOLERANCE < 1}
    wrong = {m: own[0]["error"] for m, own in found.items() if not own[0]["error"] <= LARGEST_ERROR}
    print()
    for model, own in times.items():
        pays = "does not pay" if own[best] < 1 else "pays"
        print(f"{model}: {own['torch eager']:.2f} times torch eager, {own[best]:.2f} times {best}: {pays}")
    print(f"{'held  ' if gain >= GOAL else 'MISSED'} {gain:.2f} times as fast as torch eager (goal {GOAL})")
    print(f"       {over_best:.2f} times as fast as the best single setting, {best}")
    print(f"{'MISSED' if beaten else 'held  '} slower than it by more than 2 %: {beaten or 'on none'}")
    print(
        f"{'MISSED' if wrong else 'held  '} outputs off by more than {LARGEST_ERROR:.0e}: {wrong or 'none'}"
    )
    return gain >= GOAL and not beaten and not wrong


if __name__ == "__main__":
    sys.exit(main())
