"""A torch module as an operation."""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.errors import ArgumentError, MissingExtraError, ModelError
from hetero.ops.base import Op, Outputs, Run, Work
from hetero.ops.ports import Port, as_arrays, check_ports, checked_paddable
from hetero.values import Specs, TensorSpec, digest_of, to_host

if TYPE_CHECKING:
    import torch

    from hetero.ops.onnx import OnnxOp

__all__ = ["TorchOp"]


class TorchOp(Op):
    """A torch module in evaluation mode: NumPy arrays in, NumPy arrays out.

    Inputs are the parameters of ``forward`` that the example fills; outputs have the names of a returned dict or
    ``ModelOutput``, else ``output``, or ``output_0``, ``output_1``, ... The example fixes dtypes and ranks, sizes
    are free. The reference run is torch eager in fp32 on the CPU.

    >>> import torch
    >>> op = TorchOp.from_module(torch.nn.Linear(3, 2), np.zeros((1, 3), np.float32))
    >>> op.inputs, op.outputs
    (('input',), ('output',))
    """

    kind = "torch"

    def __init__(
        self,
        module: torch.nn.Module,
        example: Mapping[str, np.ndarray[Any, Any]],
        name: str,
        paddable: Mapping[str, int] | None = None,
    ) -> None:
        self.module = module
        self.example = dict(example)
        self.name = name
        self.inputs = tuple(self.example)
        self.outputs = tuple(self._named_outputs())
        self.input_ports = tuple(
            Port(key, array.dtype.name, array.shape).open for key, array in example.items()
        )
        self.paddable = checked_paddable(paddable, self.input_ports, name)
        tensors = [*module.parameters(), *module.buffers()]
        self.weights_nbytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        self._works: dict[Specs, Work | None] = {}

    @classmethod
    def from_module(
        cls,
        module: torch.nn.Module,
        example: Any,
        name: str | None = None,
        paddable: Mapping[str, int] | None = None,
    ) -> TorchOp:
        """Take a module with an example of its inputs: one array or tensor, a tuple of them, or a dict by name.

        The module is put into evaluation mode and run once on the example. ``paddable`` are the inputs that may be
        filled up with zeros, each with the axis.

        Raises:
            ArgumentError: not a torch module, or the example or ``paddable`` does not fit its ``forward``.
            ModelError: the module fails on the example, or returns something that is no tensor.
            MissingExtraError: torch is not installed.
        """
        try:
            import torch
        except ModuleNotFoundError as error:
            raise MissingExtraError("a torch module", "torch", "torch") from error
        if not isinstance(module, torch.nn.Module):
            raise ArgumentError(f"from_torch takes a torch.nn.Module, not a {type(module).__name__}")
        module.eval()
        if any(tensor.device.type != "cpu" for tensor in (*module.parameters(), *module.buffers())):
            module = copy.deepcopy(
                module
            ).cpu()  # the reference runs on the CPU; the user's module stays where it is
        return cls(module, _by_name(module, example), name or type(module).__name__.lower(), paddable)

    @property
    def free_batch(self) -> bool:
        """The example fixes no sizes; whether the module does, its runs show."""
        return True

    def _named_outputs(self) -> dict[str, Any]:
        """The module's outputs on the example, by name."""
        try:
            return named_outputs(self._call([*self.example.values()]))
        except Exception as error:  # whatever a user's forward raises; kept as the cause
            raise ModelError(
                f"torch module {type(self.module).__name__} fails on its example: {type(error).__name__}: {error}"
            ) from error

    def _call(self, arrays: Sequence[np.ndarray[Any, Any]]) -> Any:
        import torch

        with torch.inference_mode():
            tensors = {key: as_tensor(array) for key, array in zip(self.inputs, arrays, strict=True)}
            return self.module(**tensors)

    @cached_property
    def digest(self) -> str:
        from hetero.ops.torch_content import content_of

        ports = [(port.name, port.dtype, len(port.shape or ())) for port in self.input_ports]
        return digest_of("torch", ports, content_of(self.module))

    def check(self, node: str, specs: Specs) -> None:
        check_ports(node, self.input_ports, specs)

    def arrays(self, values: Sequence[Any]) -> list[Any]:
        """Input values as arrays, plain numbers turned into scalars of the right dtype."""
        return as_arrays(self.input_ports, values)

    def load(self) -> Run:
        """The reference run: torch eager on the CPU, at the threads torch has."""

        def run(*values: Any) -> Outputs:
            return tuple(map(array_of, named_outputs(self._call(self.arrays(values))).values()))

        return run

    def work(self, specs: Specs) -> Work | None:
        """FLOPs and bytes, counted on tensors without data; None where the module looks at its data."""
        from hetero.ops.torch_work import work_of

        if specs not in self._works:  # a planner asks again and again for the same few shapes
            shapes = {
                port.name: spec if isinstance(spec, TensorSpec) else TensorSpec(port.dtype, ())
                for port, spec in zip(self.input_ports, specs, strict=True)
            }
            self._works[specs] = work_of(self.module, shapes)
        return self._works[specs]

    def as_onnx(self) -> OnnxOp:
        """The same computation as an ONNX model: exported once, kept in the process and on disk by digest.

        Raises:
            ModelError: torch cannot export the module, or the exported model's outputs differ from torch's.
        """
        from hetero.ops.onnx_export import exported

        model: OnnxOp = exported(self)
        return model

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels by torch's own serialisation: its storages are shared memory handles under plain pickle."""
        return _unpack, (_packed(self.module), self.example, self.name, self.digest, dict(self.paddable))


def _packed(module: torch.nn.Module) -> bytes:
    import cloudpickle
    import torch

    buffer = io.BytesIO()
    torch.save(module, buffer, pickle_module=cloudpickle)
    return buffer.getvalue()


def _unpack(
    content: bytes, example: dict[str, Any], name: str, digest: str, paddable: dict[str, int]
) -> TorchOp:
    import torch

    # weights_only=False: the bytes come from our own process, as those of any pickle do
    module = torch.load(io.BytesIO(content), weights_only=False, map_location="cpu")
    op = TorchOp(module.eval(), example, name, paddable)
    op.__dict__["digest"] = (
        digest  # bytecode differs between Python versions; the sender's digest is the identity
    )
    return op


def _by_name(module: torch.nn.Module, example: Any) -> dict[str, np.ndarray[Any, Any]]:
    """The example's arrays by the names of ``forward``'s parameters."""
    import inspect

    signature = inspect.signature(module.forward)
    who = f"{type(module).__name__}.forward{signature}"
    try:
        if isinstance(example, Mapping):
            bound = signature.bind(**example)
        else:
            bound = signature.bind(*(example if isinstance(example, tuple) else (example,)))
    except TypeError as error:
        raise ArgumentError(f"the example does not fit {who}: {error}") from error
    found: dict[str, Any] = {}
    for key, value in bound.arguments.items():
        kind = signature.parameters[key].kind
        if kind is inspect.Parameter.VAR_POSITIONAL or kind is inspect.Parameter.POSITIONAL_ONLY:
            raise ArgumentError(
                f"{who}: parameter {key!r} has no name to pass it by; wrap the module in one that has"
            )
        found |= value if kind is inspect.Parameter.VAR_KEYWORD else {key: value}
    arrays = {key: np.asarray(to_host(value)) for key, value in found.items()}
    for key, array in arrays.items():
        if array.dtype.kind not in "biufc":
            raise ArgumentError(
                f"{who}: the example of {key!r} is a {type(found[key]).__name__}, not a tensor"
            )
    return arrays


def named_outputs(result: Any) -> dict[str, Any]:
    """What a module returned, as tensors by name.

    Raises:
        ModelError: a part of it is no tensor.
    """
    import torch

    if isinstance(result, torch.Tensor):
        return {"output": result}
    if isinstance(result, Mapping):  # ModelOutput is one, without its entries that are None
        named = {str(key): value for key, value in result.items()}
    elif is_dataclass(result) and not isinstance(result, type):
        named = {
            part.name: value for part in fields(result) if (value := getattr(result, part.name)) is not None
        }
    elif isinstance(result, tuple) and hasattr(result, "_fields"):
        named = dict(zip(result._fields, result, strict=True))
    elif isinstance(result, list | tuple):
        named = {f"output_{i}": value for i, value in enumerate(result)}
    else:
        raise ModelError(
            f"it returns a {type(result).__name__}; expected a tensor, or a tuple, dict or dataclass of them"
        )
    for key, value in named.items():
        if not isinstance(value, torch.Tensor):
            raise ModelError(f"its output {key!r} is a {type(value).__name__}; expected a tensor")
    return named


def as_tensor(array: Any) -> torch.Tensor:
    """A tensor on the CPU that shares the array's memory where torch allows it (not for read-only arrays)."""
    import torch

    if (
        isinstance(array, np.ndarray)
        and array.flags.writeable
        and all(stride >= 0 for stride in array.strides)
    ):
        return torch.from_numpy(array)
    return torch.from_numpy(np.array(array))


def array_of(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """A NumPy array with the tensor's values; what NumPy has no type for (bf16) becomes float32."""
    import torch

    host = tensor.detach().cpu()
    if host.dtype in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
        host = host.float()
    array: np.ndarray[Any, Any] = host.numpy()
    return array
