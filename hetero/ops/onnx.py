"""An ONNX model as an operation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.errors import ArgumentError, MissingExtraError, ModelError
from hetero.files import cache_directory, write_atomically
from hetero.ops.base import Op, Outputs, Run, Work
from hetero.ops.onnx_file import OnnxFile
from hetero.ops.onnx_rules import initializers_of, tensor_nbytes
from hetero.ops.ports import Port, as_arrays, check_ports, checked_paddable
from hetero.values import Specs, digest_of

if TYPE_CHECKING:
    import onnx

    from hetero.ops.onnx_work import Inference

__all__ = ["OnnxOp"]


class OnnxOp(Op):
    """An ONNX model: inputs are its graph's inputs that no initialiser fills, outputs its graph's outputs.

    The reference run is ONNX Runtime on the CPU in the model's own precision.

    >>> from onnx.parser import parse_model
    >>> text = "twice (float[batch, 3] x) => (float[batch, 3] y) { y = Add(x, x) }"
    >>> model = parse_model('<ir_version: 10, opset_import: ["": 21]> ' + text)
    >>> op = OnnxOp.from_model(model.SerializeToString())       # or the path of a file
    >>> op.name, op.inputs, op.input_ports[0].shape
    ('twice', ('x',), ('batch', 3))
    """

    kind = "onnx"

    def __init__(self, file: OnnxFile, name: str, paddable: Mapping[str, int] | None = None) -> None:
        model = file.parse()
        self.file = file
        self.name = name
        weights = {tensor.name for tensor in model.graph.initializer}
        given = [value for value in model.graph.input if value.name not in weights]
        self.input_ports = tuple(_input_port(value, file.where) for value in given)
        self.output_ports = tuple(map(_port, model.graph.output))
        self.inputs = tuple(port.name for port in self.input_ports)
        self.outputs = tuple(port.name for port in self.output_ports)
        self.weights_nbytes = sum(map(tensor_nbytes, initializers_of(model.graph)))
        self.paddable = checked_paddable(paddable, self.input_ports, self.name)
        self._inferences: dict[Specs, Inference | None] = {}

    @classmethod
    def from_model(
        cls,
        source: str | os.PathLike[str] | bytes,
        name: str | None = None,
        paddable: Mapping[str, int] | None = None,
    ) -> OnnxOp:
        """Read a model from its path or its bytes, executing nothing.

        ``name`` is what its nodes are called; without one it is the file's stem, or the graph's name. ``paddable`` are
        the inputs that may be filled up with zeros, each with the axis.

        Raises:
            ArgumentError: neither a path nor bytes; or an input that may be filled up does not exist.
            ModelError: the file cannot be read, is not an ONNX model, takes something other than tensors, or keeps
                data outside of its folder.
            MissingExtraError: the onnx package is not installed.
        """
        if isinstance(source, bytes | bytearray | memoryview):
            file = OnnxFile(content=bytes(source))
            return cls(file, name or file.parse().graph.name or "onnx", paddable)
        if not isinstance(source, str | os.PathLike):
            raise ArgumentError(
                f"an ONNX model is given as its path or its bytes, not as {type(source).__name__}"
            )
        path = Path(source).absolute()
        return cls(OnnxFile(path=path), name or path.stem, paddable)

    @cached_property
    def digest(self) -> str:
        return self.file.digest

    @property
    def free_batch(self) -> bool:
        """Whether no port has a fixed first size."""
        shapes = [port.shape for port in (*self.input_ports, *self.output_ports)]
        return all(shape is None or (shape and not isinstance(shape[0], int)) for shape in shapes)

    def check(self, node: str, specs: Specs) -> None:
        check_ports(node, self.input_ports, specs)

    def arrays(self, values: Sequence[Any]) -> list[Any]:
        """Input values as engines take them: arrays, plain numbers turned into scalars of the right dtype."""
        return as_arrays(self.input_ports, values)

    def load(self) -> Run:
        """The reference run: ONNX Runtime on the CPU at its default optimisation, threads that never spin.

        Raises:
            ModelError: ONNX Runtime does not accept the model.
            MissingExtraError: onnxruntime is not installed.
        """
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"the reference run of {self.name!r}", "onnxruntime", "onnx") from error

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = _usable_cores()
        for group in ("intra_op", "inter_op"):  # a spinning pool slows down every engine beside it
            options.add_session_config_entry(f"session.{group}.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(
                self.file.source, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors share no base class but this one; the cause is kept
            raise ModelError(f"{self.file.where}: ONNX Runtime does not accept the model: {error}") from error
        names, outputs = self.inputs, list(self.outputs)

        def run(*values: Any) -> Outputs:
            return tuple(session.run(outputs, dict(zip(names, self.arrays(values), strict=True))))

        return run

    def work(self, specs: Specs) -> Work | None:
        """FLOPs and bytes by shape inference; None where shapes depend on the data."""
        found = self._inferred(specs)
        return found.work if found is not None else None

    def output_specs(self, specs: Specs) -> Specs | None:
        """Specs of the outputs for inputs of these specs; None where they depend on the data."""
        found = self._inferred(specs)
        return found.outputs if found is not None else None

    def _inferred(self, specs: Specs) -> Inference | None:
        from hetero.ops.onnx_work import infer

        if specs not in self._inferences:  # a planner asks again and again for the same few shapes
            self._inferences[specs] = infer(self.file.parse(), self.input_ports, specs)
        return self._inferences[specs]

    def contents(self) -> dict[str, bytes]:
        """The model's own bytes first, then its external data, by file name relative to the model's folder."""
        if self.file.path is None:
            return {"model.onnx": self.file.read()}
        folder = self.file.path.parent
        return {name: (folder / name).read_bytes() for name in (self.file.path.name, *self.file.companions)}

    @classmethod
    def from_contents(
        cls, files: dict[str, bytes], name: str, paddable: Mapping[str, int] | None = None
    ) -> OnnxOp:
        """The op of a model whose files are at hand as bytes; those with external data are unpacked into the cache."""
        if len(files) == 1:
            return cls(OnnxFile(content=next(iter(files.values()))), name, paddable)
        folder = (cache_directory() / "models" / digest_of(files)).resolve()
        for relative, content in files.items():
            target = (folder / relative).resolve()
            if not target.is_relative_to(folder):
                raise ModelError(f"{name}: file {relative!r} lies outside of the model's folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, content)
        return cls(OnnxFile(path=folder / next(iter(files))), name, paddable)

    def __reduce__(self) -> tuple[Any, ...]:
        """An op travels with its model's bytes: the process or machine that gets it may not see the same files."""
        paddable = dict(self.paddable)
        if self.file.path is None:
            return _from_bytes, (self.file.content, self.name, paddable)
        return _from_files, (str(self.file.path), self.contents(), self.digest, self.name, paddable)


def _from_bytes(content: bytes, name: str, paddable: dict[str, int]) -> OnnxOp:
    return OnnxOp(OnnxFile(content=content), name, paddable)


def _from_files(
    path: str, files: dict[str, bytes], digest: str, name: str, paddable: dict[str, int]
) -> OnnxOp:
    """The op whose first file is the model: read from its path where the same file is there, else unpacked."""
    here = OnnxFile(path=Path(path))
    same = Path(path).is_file() and here.digest == digest
    return OnnxOp(here, name, paddable) if same else OnnxOp.from_contents(files, name, paddable)


def _input_port(value: onnx.ValueInfoProto, where: str) -> Port:
    """The port of a graph input.

    Raises:
        ModelError: it is no tensor (a sequence, a map, an optional).
    """
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        found = (kind or "value without a type").removesuffix("_type")
        raise ModelError(f"{where}: input {value.name!r} is a {found}; expected a tensor")
    return _port(value)


def _port(value: onnx.ValueInfoProto) -> Port:
    """The port of a graph input or output. An output may be a list or dict (of a classifier): dtype ``object``."""
    from onnx import helper

    if value.type.WhichOneof("value") != "tensor_type":
        return Port(value.name, "object", None)
    tensor = value.type.tensor_type
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    if not tensor.HasField("shape"):
        return Port(value.name, dtype, None)
    return Port(
        value.name,
        dtype,
        tuple(d.dim_value if d.dim_value > 0 else _symbol(d.dim_param) for d in tensor.shape.dim),
    )


def _symbol(name: str) -> str | None:
    """The name of a size; None where an exporter wrote a placeholder that stands for any size (Paddle's ``?``)."""
    return None if name in ("", "?", "-1") else name


def _usable_cores() -> int:
    """Cores that this process may run on; ONNX Runtime alone counts those of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
