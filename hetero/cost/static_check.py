"""Do the samples fit the graph? As far as shapes and types tell, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hetero.graph import INPUT, Arg, Const, Graph, Ref, check_specs
from hetero.values import ContainerSpec, Spec, spec_of

__all__ = ["check_statically"]


def check_statically(graph: Graph, inputs: Sequence[Any]) -> None:
    """Check every node whose inputs are known without running anything: those of the caller, constants, and what models
    make of these.

    Raises:
        SpecError: a value does not fit its node; names node, input, found and expected.
    """
    known: dict[Ref, Spec] = {Ref(INPUT, i): spec_of(value) for i, value in enumerate(inputs)}
    for node in graph:
        specs = [_spec(arg, known) for arg in node.args]
        given = tuple(spec for spec in specs if spec is not None)
        if len(given) < len(specs):
            continue
        check_specs(node, given)
        outputs = node.op.output_specs(given)
        if outputs is not None:
            known.update({Ref(node.name, i): spec for i, spec in enumerate(outputs)})


def _spec(arg: Arg, known: Mapping[Ref, Spec]) -> Spec | None:
    """The spec of an argument; None where a part of it is not known."""
    if isinstance(arg, Ref):
        return known.get(arg)
    if isinstance(arg, Const):
        return spec_of(arg.value)
    items = [_spec(item, known) for item in arg.items]
    found = tuple(item for item in items if item is not None)
    return ContainerSpec(arg.type, found, tuple(map(str, arg.keys))) if len(found) == len(items) else None
