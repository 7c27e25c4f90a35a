"""A torch module as an ONNX model: exported once, compared with torch before it counts."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.errors import MissingExtraError, ModelError
from hetero.files import cache_directory, write_atomically
from hetero.ops.onnx import OnnxOp

if TYPE_CHECKING:
    from hetero.ops.torch import TorchOp

__all__ = ["TOLERANCE", "exported", "failure"]

log = logging.getLogger("hetero.ops")

TOLERANCE = 1e-4
"""The largest relative L2 difference between torch's outputs and the exported model's on the example."""

_MEMORY: dict[str, OnnxOp | ModelError] = {}
"""What became of each export that this process asked for, by the module's digest."""
_LOCK = threading.RLock()


def exported(op: TorchOp) -> OnnxOp:
    """The ONNX form of a torch op, from this process, from disk, or exported now.

    Raises:
        ModelError: torch cannot export the module, or the export's outputs differ on the example.
        MissingExtraError: onnxscript, which torch's exporter needs, is not installed.
    """
    with _LOCK:  # torch's exporter is not thread-safe, and two threads would do the same work
        if op.digest not in _MEMORY:
            path = cache_directory() / "exports" / f"{op.digest}.onnx"
            try:
                _MEMORY[op.digest] = _kept(path, op.name) or _made(path, op)
            except ModelError as error:
                _MEMORY[op.digest] = error  # each variant of each ONNX engine will ask for it again
        found = _MEMORY[op.digest]
    if isinstance(found, ModelError):
        raise ModelError(str(found)) from found.__cause__
    return found


def failure(op: TorchOp) -> str | None:
    """Why the op is known to have no ONNX form; None where it has one, or nobody has tried."""
    found = _MEMORY.get(op.digest)
    return str(found) if isinstance(found, ModelError) else None


def _kept(path: Path, name: str) -> OnnxOp | None:
    """An earlier export; None where there is none, or it was damaged on disk."""
    if not path.is_file():
        return None
    try:
        return OnnxOp.from_model(path, name)
    except ModelError as error:
        log.warning("an exported model in the cache is damaged and is made again: %s", error)
        return None


def _made(path: Path, op: TorchOp) -> OnnxOp:
    """A new export, compared with torch, and written where the next process finds it."""
    model = OnnxOp.from_model(_export(op), op.name)
    _compare(op, model)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, model.file.read())
    return OnnxOp.from_model(path, op.name)


def _export(op: TorchOp) -> bytes:
    """The bytes of the exported model, free in every size that torch can prove free."""
    try:
        import onnxscript as _onnxscript  # noqa: F401  (what torch's exporter imports, told before it starts)
        import torch
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"exporting {op.name!r} to ONNX", error.name or "onnxscript", "torch"
        ) from error
    from hetero.ops.torch import as_tensor

    tensors = {key: as_tensor(array) for key, array in _widened(op).items()}
    # AUTO lets torch find which sizes the module really leaves free; DYNAMIC would fail where one is not
    free = {key: dict.fromkeys(range(t.ndim), torch.export.Dim.AUTO) or None for key, t in tensors.items()}
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "model.onnx"
        try:
            torch.onnx.export(
                op.module,
                kwargs=tensors,
                f=str(path),
                dynamo=True,
                dynamic_shapes=free,
                input_names=list(op.inputs),
                output_names=list(op.outputs),
                external_data=False,
                verbose=False,
            )
        except Exception as error:  # the exporter raises whatever its passes raise; the cause is kept
            reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise ModelError(f"torch cannot export {op.name!r} to ONNX: {reason}") from error
        return path.read_bytes()


def _widened(op: TorchOp) -> dict[str, np.ndarray[Any, Any]]:
    """The example with a batch of two where it has a batch of one and the module takes both.

    torch fixes every size that is 1 in the example; a batch of one would make a model of batch one.
    """
    example = op.example
    if not all(array.ndim and array.shape[0] == 1 for array in example.values()):
        return example
    wider = {key: np.repeat(array, 2, axis=0) for key, array in example.items()}
    try:
        op.load()(*wider.values())
    except Exception:  # whatever the user's forward raises says the same: no batch of two
        return example
    return wider


def _compare(op: TorchOp, model: OnnxOp) -> None:
    """Refuse an export that takes or computes something else than the module."""
    if model.inputs != op.inputs:
        raise ModelError(
            f"torch exported {op.name!r} with the inputs {', '.join(model.inputs)}; the module takes "
            f"{', '.join(op.inputs)}: one that does not reach an output is dropped"
        )
    values = list(op.example.values())
    expected, found = op.load()(*values), model.load()(*values)
    for name, right, output in zip(op.outputs, expected, found, strict=True):
        if right.shape != output.shape:
            raise ModelError(
                f"the export of {op.name!r} gives {name!r} the shape {output.shape}, torch {right.shape}"
            )
        scale = float(np.linalg.norm(np.asarray(right, np.float64))) or 1.0
        error = float(np.linalg.norm(np.asarray(output, np.float64) - np.asarray(right, np.float64))) / scale
        if not error <= TOLERANCE:
            raise ModelError(
                f"the export of {op.name!r} differs from torch in {name!r}: relative error {error:.1e}, "
                f"allowed {TOLERANCE:.0e}"
            )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter prints its progress and warns about itself; what matters comes out as an exception."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
