"""What every node is given and gives on the samples, by the ops' references.

Profiles are taken on these inputs and errors against these outputs, so each node runs once for each sample
here and the pipeline never again as a whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetero.cost.interpret import interpret
from hetero.cost.progress import Progress, silent
from hetero.cost.static_check import check_statically
from hetero.errors import NodeError
from hetero.graph import Graph, Node, check_specs
from hetero.ops.base import Op, Outputs, Run
from hetero.ops.branch import BranchOp
from hetero.ops.map import MapOp
from hetero.values import specs_of, to_host

__all__ = ["Call", "Recording", "References", "failed", "record"]


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One run of one node: the values themselves, and the number of the sample that led to it."""

    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    sample: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """All calls of all nodes on the samples, by path (``map#1/read``), in the order of the samples and items.

    ``lengths`` are those of each map, ``taken`` says of each branch's calls whether ``then`` ran; ``outputs``
    are the pipeline's, one for each sample. A path that no sample reached has no entry in ``calls``.
    """

    samples: tuple[tuple[Any, ...], ...]
    calls: Mapping[str, tuple[Call, ...]]
    lengths: Mapping[str, tuple[int, ...]]
    taken: Mapping[str, tuple[bool, ...]]
    outputs: tuple[Any, ...]


class References:
    """The ops' reference runs, each loaded once however many nodes use it."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    def __getitem__(self, op: Op) -> Run:
        if op.digest not in self._runs:
            self._runs[op.digest] = op.load()
        return self._runs[op.digest]


def record(graph: Graph, samples: Sequence[tuple[Any, ...]], progress: Progress | None = None) -> Recording:
    """Run every node on every sample, one after the other, and keep what went in and out.

    Each sample has a value for each input of the graph; left-out ones take their defaults.

    Raises:
        ArgumentError: a sample has the wrong number of values.
        SpecError: a value does not fit its node. What can be told from the pipeline's own inputs is checked before
            anything runs, the rest before the node runs.
        NodeError: a node raised; it names the node by its path, and what was raised is its cause.
    """
    bound = tuple(tuple(map(to_host, graph.bind(sample, {}))) for sample in samples)
    for sample in bound:
        check_statically(graph, sample)

    steps = (progress or silent)(len(bound) * len(graph))
    references = References()
    calls: dict[str, list[Call]] = defaultdict(list)

    def run(path: str, node: Node, inputs: tuple[Any, ...]) -> Outputs | None:
        if path == node.name:
            steps.advance(path)
        check_specs(node, specs_of(inputs))
        if isinstance(node.op, MapOp | BranchOp):
            return None
        before = [value.copy() if isinstance(value, np.ndarray) else None for value in inputs]
        outputs = run_reference(references, path, node, inputs)
        _require_unchanged(path, node, inputs, before)
        return outputs

    outputs = []
    for number, sample in enumerate(bound):

        def seen(path: str, node: Node, given: tuple[Any, ...], got: Outputs, number: int = number) -> None:
            calls[path].append(Call(given, got, number))

        outputs.append(interpret(graph, sample, run, seen))

    kept = {path: tuple(made) for path, made in calls.items()}
    ops = {path: node.op for path, node in graph.walk()}
    return Recording(
        samples=bound,
        calls=kept,
        lengths={
            p: tuple(len(c.outputs[0]) for c in made) for p, made in kept.items() if isinstance(ops[p], MapOp)
        },
        taken={
            p: tuple(bool(c.inputs[0]) for c in made)
            for p, made in kept.items()
            if isinstance(ops[p], BranchOp)
        },
        outputs=tuple(outputs),
    )


def _require_unchanged(
    path: str, node: Node, inputs: Sequence[Any], before: Sequence[np.ndarray[Any, Any] | None]
) -> None:
    """An array that a node has changed would be another input for whoever takes it next, and in every later run.

    Raises:
        NodeError: it has changed one; names the input.
    """
    for name, value, old in zip(node.op.inputs, inputs, before, strict=True):
        if old is not None and value.tobytes() != old.tobytes():
            where = f" (called at {node.location})" if node.location else ""
            raise NodeError(
                path,
                f"changed its input {name!r} in place{where}; other nodes and later runs would be given the changed "
                f"array: work on {name}.copy()",
            )


def run_reference(references: References, path: str, node: Node, inputs: tuple[Any, ...]) -> Outputs:
    """Run a node by its op's reference.

    Raises:
        NodeError: it raised, or gave another number of outputs than it declares.
    """
    try:
        outputs = references[node.op](*inputs)
    except Exception as error:  # whatever a user's code raises is the error's cause
        raise failed(path, node, error) from error
    if len(outputs) != len(node.op.outputs):
        raise NodeError(
            path, f"gave {len(outputs)} outputs; it declares {len(node.op.outputs)}: {node.op.outputs}"
        )
    return tuple(outputs)


def failed(path: str, node: Node, error: Exception) -> NodeError:
    """The error of a node that raised, with the user's line where it is known."""
    where = f" (called at {node.location})" if node.location else ""
    return NodeError(path, f"{type(error).__name__}: {error}{where}")
