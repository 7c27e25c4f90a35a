"""The demo pipeline as hetero runs it, and as a person does who puts every model on one engine with its defaults.

    python benchmarks/contestants.py NAME PIPELINE

is one contestant in a process of its own, as ``duel`` wants it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from duel import serve

import hetero as ht
from hetero.backends.models import onnx_form
from hetero.cost.interpret import interpret
from hetero.graph import Graph, Node
from hetero.graphs.catalog import ready
from hetero.ops.base import Op, Run
from hetero.registry import detect_machine, open_device
from hetero.rewrite.batch import Batching, run_batched

NAMES = ("hetero", "onnxruntime", "openvino-fp32", "torch-eager")

CIRCUITS = "cpu/statevector"
"""Circuits run on the fastest simulator here for everyone: what is compared are the engines of models."""


def onnxruntime_defaults(op: Op) -> Run:
    """A session as the documentation makes it: all cores, threads that spin."""
    import onnxruntime

    model = onnx_form(op)
    session = onnxruntime.InferenceSession(model.file.source, providers=["CPUExecutionProvider"])
    names, outputs = model.inputs, list(model.outputs)
    return lambda *inputs: tuple(session.run(outputs, dict(zip(names, inputs, strict=True))))


def openvino_fp32(op: Op) -> Run:
    """A model compiled for the CPU with its defaults, but for the precision: left alone, some CPUs get bf16."""
    import openvino

    model = onnx_form(op)
    compiled = openvino.compile_model(model.file.source, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names, outputs = model.inputs, model.outputs
    return lambda *inputs: tuple(
        (found := compiled(dict(zip(names, inputs, strict=True)))) and [found[name] for name in outputs]
    )


def torch_eager(op: Op) -> Run:
    """A torch module as it is; what is no torch module runs on ONNX Runtime."""
    return reference(op) if op.kind == "torch" else onnxruntime_defaults(op)


def circuit_run(op: Op) -> Run:
    """A circuit on the simulator that all contestants share."""
    device = open_device(detect_machine().device(CIRCUITS))
    executable = device.compile(op, device.variants(op, op.example_specs()).variants[0])
    return lambda *inputs: executable.start(inputs).wait()


def reference(op: Op) -> Run:
    return op.load()


LOADERS: dict[str, Callable[[Op], Run]] = {
    "onnxruntime": onnxruntime_defaults,
    "openvino-fp32": openvino_fp32,
    "torch-eager": torch_eager,
}


BATCH = 32
"""What a person who loops over a list takes at once."""


def by_habit(graph: Graph, load: Callable[[Op], Run]) -> Callable[..., Any]:
    """The pipeline as a plain program: one node after the other, each op loaded once, the items of a map in batches
    wherever the model takes them."""
    runs: dict[str, Run] = {}
    for _, node in graph.walk():
        if node.op.subgraphs or node.op.digest in runs:
            continue
        loader = {"function": reference, "circuit": circuit_run}.get(node.op.kind, load)
        runs[node.op.digest] = loader(node.op)

    def run(path: str, node: Node, inputs: tuple[Any, ...]) -> Any:
        return None if node.op.subgraphs else runs[node.op.digest](*inputs)

    together = {
        path: partial(run_batched, runs[node.op.digest], batching=Batching.of(node.op, BATCH))
        for path, node in graph.walk()
        if "/" in path and node.op.free_batch
    }
    return lambda *inputs: interpret(graph, inputs, run, together=together)


def contestant(name: str, pipeline: str) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """What to call, on what, and what there is to say about it."""
    face = ready(pipeline)
    sample = face.sample()
    if name == "hetero":
        plan = ht.plan(face.build(), *sample)
        placement = {path: str(choice) for path, choice in plan.choices.items()}
        return plan, sample, {"predicted_s": plan.estimate.seconds, "placement": placement}
    return by_habit(face.build().trace(), LOADERS[name]), sample, {}


def main(name: str, pipeline: str) -> None:
    run, sample, about = contestant(name, pipeline)
    serve({"": lambda: run(*sample)}, about)


if __name__ == "__main__":
    main(*sys.argv[1:])
