"""Two ONNX models as one, where the second takes what the first gives.

An engine that sees both may fuse across the border; nothing is handed out and in again between them, and what of the
first model's outputs nobody takes is not computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from hetero.errors import ModelError
from hetero.ops.base import Outputs, Run
from hetero.ops.onnx import OnnxOp
from hetero.ops.onnx_file import OnnxFile

if TYPE_CHECKING:
    import onnx

    from hetero.ops.ports import Port

__all__ = ["Joined", "MergedOnnxOp", "why_apart"]

Joined: TypeAlias = tuple[int | None, ...]
"""For each input of the second model the number of the first one's output that it is; None for one that is given."""

LARGEST_NBYTES = 1 << 30
"""Of the weights of both: a merged model is in memory, and a message of protobuf ends at twice that."""

_FIRST, _SECOND = "1/", "2/"


class MergedOnnxOp(OnnxOp):
    """``second(first(...), ...)``: the first model's inputs, then those of the second that it does not give.

    The reference runs the two models one after the other, so that what an engine makes of the merged one is measured
    against what was asked for. (A graph that was saved and loaded has the merged model alone.)
    """

    def __init__(self, first: OnnxOp, second: OnnxOp, joined: Joined) -> None:
        """
        Raises:
            ModelError: the two cannot be one; says why.
        """
        if reason := why_apart(first, second, joined):
            raise ModelError(f"{first.name} and {second.name} cannot be one model: {reason}")
        content = _merged(first, second, joined).SerializeToString(deterministic=True)
        paddable = {_FIRST + name: axis for name, axis in first.paddable.items()}
        super().__init__(OnnxFile(content=content), f"{first.name}+{second.name}", paddable)
        self._first, self._second, self._joined = first, second, joined

    def load(self) -> Run:
        first, second, count = self._first.load(), self._second.load(), len(self._first.inputs)

        def run(*values: Any) -> Outputs:
            between, given = first(*values[:count]), iter(values[count:])
            return second(*(next(given) if output is None else between[output] for output in self._joined))

        return run

    def __reduce__(self) -> tuple[Any, ...]:
        return MergedOnnxOp, (self._first, self._second, self._joined)


def why_apart(first: OnnxOp, second: OnnxOp, joined: Joined) -> str | None:
    """Why two models cannot be one; None where they can."""
    return next(_reasons(first, second, joined), None)


def _reasons(first: OnnxOp, second: OnnxOp, joined: Joined) -> Iterator[str]:
    for op in (first, second):
        if op.file.companions:
            yield f"{op.name} keeps weights in other files"
    if second.paddable:
        yield f"items of {second.name} may be filled up, those of {first.name} are not known to"
    if first.weights_nbytes + second.weights_nbytes > LARGEST_NBYTES:
        yield f"their weights have over {LARGEST_NBYTES >> 30} GB"
    ours, theirs = (_opsets(op.file.parse()) for op in (first, second))
    for domain in ours.keys() & theirs.keys():
        if ours[domain] != theirs[domain]:
            yield f"operators of version {ours[domain]} and of version {theirs[domain]}"
    for port, number in zip(second.input_ports, joined, strict=True):
        if number is not None and not _fits(first.output_ports[number], port):
            yield f"{first.name} gives {first.output_ports[number]}, {second.name} takes {port}"


def _opsets(model: onnx.ModelProto) -> dict[str, int]:
    """Versions by domain; ``ai.onnx`` is the long name of the empty one."""
    return {"" if o.domain == "ai.onnx" else o.domain: o.version for o in model.opset_import}


def _fits(given: Port, taken: Port) -> bool:
    """Whether an output may be that input for all that both say: unknown sizes fit any."""
    if given.dtype != taken.dtype:
        return False
    if given.shape is None or taken.shape is None:
        return True
    return len(given.shape) == len(taken.shape) and all(
        a == b or not (isinstance(a, int) and isinstance(b, int))
        for a, b in zip(given.shape, taken.shape, strict=True)
    )


def _merged(first: OnnxOp, second: OnnxOp, joined: Joined) -> onnx.ModelProto:
    from onnx import checker, compose

    models = [first.file.parse(), second.file.parse()]
    newest = max(model.ir_version for model in models)
    for model in models:
        model.ir_version = newest
        del model.metadata_props[:], model.graph.value_info[:]
    for value in (*models[1].graph.input, *models[1].graph.output):
        _rename_sizes(value, _SECOND)
    wires = [
        (first.outputs[number], name)
        for name, number in zip(second.inputs, joined, strict=True)
        if number is not None
    ]
    try:
        whole = compose.merge_models(models[0], models[1], io_map=wires, prefix1=_FIRST, prefix2=_SECOND)
    except (ValueError, checker.ValidationError) as error:
        raise ModelError(f"{first.name} and {second.name} cannot be one model: {error}") from error
    _keep(whole.graph.output, [_SECOND + name for name in second.outputs])
    versions = dict.fromkeys((o.domain, o.version) for o in whole.opset_import)
    del whole.opset_import[:]  # merge_models lists those of both
    for domain, version in versions:
        whole.opset_import.add(domain=domain, version=version)
    return whole


def _rename_sizes(value: onnx.ValueInfoProto, prefix: str) -> None:
    """A size called ``n`` in each of two models need not be the same one."""
    for dim in value.type.tensor_type.shape.dim:
        if dim.dim_param:
            dim.dim_param = prefix + dim.dim_param


def _keep(values: Any, names: Sequence[str]) -> None:
    """Of a repeated field those of these names, in this order."""
    by_name = {value.name: value for value in values}
    kept = [by_name[name] for name in names]
    del values[:]
    values.extend(kept)
