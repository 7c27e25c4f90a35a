"""An ONNX model in 8-bit integers, made by ONNX Runtime's quantiser and kept on disk.

``dynamic``: weights are rounded once, activations at every run by what they are then; matrix products only.
``static``: activations too have fixed ranges, seen on calibration inputs; convolutions as well.
Weights are rounded channel by channel: on a sentence encoder that left a cosine of 0.992 where one scale for all left
0.965.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from hetero.errors import MissingExtraError, ModelError
from hetero.files import cache_directory, write_atomically
from hetero.ops.onnx import OnnxOp
from hetero.values import digest_of

if TYPE_CHECKING:
    import onnx

    from hetero.ops.torch import TorchOp

__all__ = ["CALIBRATION_CALLS", "How", "has_calibration", "keep_calibration", "quantised"]

How: TypeAlias = Literal["dynamic", "static"]

CALIBRATION_CALLS = 32
"""So many inputs are enough to see the ranges of activations; each costs a run of the model in fp32."""

_DYNAMIC_OPS = ("MatMul", "Gemm")
_PER_CHANNEL_OPSET = 13
"""From this opset on a scale for each channel can be written down."""
_STATIC_OPS = ("Conv", *_DYNAMIC_OPS)


def quantised(op: OnnxOp, how: How, calibration: str = "") -> OnnxOp:
    """The model in 8-bit integers; inputs and outputs stay floats. Made once, then read from the user's cache.

    Args:
        calibration: under which name ``keep_calibration`` kept the inputs; for ``static``.

    Raises:
        ModelError: nothing in the model can be quantised, or its calibration inputs are not on this machine.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"{op.name!r} in int8", "onnxruntime", "onnx") from error
    key = digest_of("quantised", op.digest, how, calibration, onnxruntime.__version__)
    path = cache_directory() / "quantised" / f"{key}.onnx"
    if not path.is_file():
        content = _made(op, how, calibration)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    return OnnxOp.from_model(path, op.name, op.paddable)


def keep_calibration(name: str, op: OnnxOp | TorchOp, inputs: Sequence[Sequence[Any]]) -> None:
    """Keep inputs of the model under a name, spread over all that are given, for ``quantised``."""
    count = min(CALIBRATION_CALLS, len(inputs))
    chosen = [inputs[i * len(inputs) // count] for i in range(count)]
    arrays = {
        f"{number}/{place}": array
        for number, values in enumerate(chosen)
        for place, array in enumerate(op.arrays(values))
    }
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    path = _calibration_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getvalue())


def has_calibration(name: str) -> bool:
    return _calibration_path(name).is_file()


def _calibration_path(name: str) -> Path:
    return cache_directory() / "calibration" / f"{name}.npz"


def _made(op: OnnxOp, how: How, calibration: str) -> bytes:
    from onnxruntime import quantization

    model = op.file.parse()
    wanted = _STATIC_OPS if how == "static" else _DYNAMIC_OPS
    if not _has_constant_weights(model, wanted):
        raise ModelError(
            f"{op.name!r} has no {' or '.join(wanted)} with constant weights to be rounded to int8"
        )
    with tempfile.TemporaryDirectory() as folder, _quiet():
        target = Path(folder) / "model.onnx"
        source = Path(folder) / "source.onnx"
        _write_whole(op, source, _PER_CHANNEL_OPSET if how == "static" else 0)
        if how == "dynamic":
            quantization.quantize_dynamic(source, target, op_types_to_quantize=list(wanted), per_channel=True)
        else:
            reader = _Reader(op, _calibration_arrays(op, calibration))
            quantization.quantize_static(
                source, target, reader, op_types_to_quantize=list(wanted), per_channel=True
            )
        return target.read_bytes()


def _write_whole(op: OnnxOp, path: Path, least_opset: int) -> None:
    """The model as one file, since the quantiser reads its input from a path, in the opset that it needs."""
    import onnx
    from onnx import version_converter

    model = onnx.load_model(op.file.path) if op.file.path is not None else op.file.parse()
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if opset < least_opset:
        model = version_converter.convert_version(model, least_opset)
    onnx.save_model(model, path)


def _has_constant_weights(model: onnx.ModelProto, kinds: Sequence[str]) -> bool:
    weights = {tensor.name for tensor in model.graph.initializer}
    weights |= {node.output[0] for node in model.graph.node if node.op_type == "Constant"}
    return any(node.op_type in kinds and weights & set(node.input) for node in model.graph.node)


def _calibration_arrays(op: OnnxOp, name: str) -> list[dict[str, Any]]:
    path = _calibration_path(name)
    if not path.is_file():
        raise ModelError(
            f"{op.name!r} in static int8: its calibration inputs are not on this machine; plan here, on samples"
        )
    found: dict[str, dict[str, Any]] = {}
    with np.load(path, allow_pickle=False) as kept:
        for key in kept.files:
            number, place = key.split("/")
            found.setdefault(number, {})[op.inputs[int(place)]] = kept[key]
    return list(found.values())


class _Reader:
    """Calibration inputs as the quantiser takes them."""

    def __init__(self, op: OnnxOp, feeds: Sequence[dict[str, Any]]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser recommends a step of preparation on the root logger and warns about itself; what matters comes out
    as an exception."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
