"""PyTorch in eager mode: on the CPU, and on a GPU of NVIDIA, Apple or Intel where torch sees one."""

from __future__ import annotations

import copy
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hetero.backends.packages import missing, version
from hetero.device import (
    HOST,
    Device,
    DeviceInfo,
    DeviceStatus,
    DirectExecutable,
    Memory,
    Offers,
    Pending,
    Precision,
    Variant,
    refuse,
    thread_counts,
    wrong_kind,
)
from hetero.errors import ClosedError, DeviceError
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs
from hetero.ops.ports import Port
from hetero.ops.torch import TorchOp, array_of, as_tensor, named_outputs
from hetero.values import Specs

if TYPE_CHECKING:
    import torch

TensorCall: TypeAlias = "Callable[[Sequence[torch.Tensor]], list[torch.Tensor]]"

NAME = "cpu/torch"
BF16_FEATURES = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""CPU features of which one is enough for bf16 to be computed in hardware."""
_INSTALL = "install a build of torch for this hardware: https://pytorch.org/get-started/locally"


def probe(cpu: Processor) -> Sequence[DeviceStatus]:
    if status := missing(NAME, "torch", "torch"):
        return [status]
    precisions: tuple[Precision, ...] = ("fp32", "bf16") if BF16_FEATURES & set(cpu.features) else ("fp32",)
    info = DeviceInfo(
        name=NAME,
        engine="torch",
        version=version("torch"),
        processor=cpu.name,
        vendor=cpu.vendor,
        supplier="PyTorch Foundation",
        kinds=("torch",),
        capability="torch modules, eager, in " + ", ".join(precisions),
        max_threads=cpu.cores,
        precisions=precisions,
    )
    return [DeviceStatus(NAME, True, info), *_cuda(), *_mps(), *_xpu()]


def _cuda() -> list[DeviceStatus]:
    if not Path("/dev/nvidia0").exists():
        return [DeviceStatus("cuda0/torch", False, reason="no NVIDIA GPU is here (no /dev/nvidia0)")]
    if "+cpu" in version("torch"):
        return [
            DeviceStatus("cuda0/torch", False, reason="this torch is built for the CPU", install=_INSTALL)
        ]
    import torch

    if not torch.cuda.is_available():
        reason = "there is an NVIDIA GPU, but torch cannot use it: its driver is missing or too old"
        return [DeviceStatus("cuda0/torch", False, reason=reason, install=_INSTALL)]
    found = []
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        # AMD's builds of torch call their GPUs cuda as well
        vendor = "AMD" if torch.version.hip else "NVIDIA"
        driver = f"{torch.version.hip or torch.version.cuda}"
        found.append(
            _gpu(f"cuda{index}", index, vendor, facts.name, facts.total_memory, driver, ("bf16", "fp16"))
        )
    return found


def _mps() -> list[DeviceStatus]:
    if (platform.system(), platform.machine()) != ("Darwin", "arm64"):
        return [DeviceStatus("mps/torch", False, reason="this is no Mac with Apple silicon")]
    import torch

    if not torch.backends.mps.is_available():
        reason = "this build of torch or this macOS has no Metal support"
        return [DeviceStatus("mps/torch", False, reason=reason, install=_INSTALL)]
    memory = int(torch.mps.recommended_max_memory())
    return [_gpu("mps", 0, "Apple", "Apple silicon", memory, platform.mac_ver()[0], ("fp16",))]


def _xpu() -> list[DeviceStatus]:
    if not any(Path("/dev/dri").glob("renderD*")) or "+xpu" not in version("torch"):
        reason = "no GPU is here (no /dev/dri/renderD*), or torch is not built for Intel GPUs"
        return [DeviceStatus("xpu/torch", False, reason=reason, install=_INSTALL)]
    import torch

    if not torch.xpu.is_available():
        return [DeviceStatus("xpu/torch", False, reason="torch sees no Intel GPU: its driver is missing")]
    facts = torch.xpu.get_device_properties(0)
    return [
        _gpu("xpu", 0, "Intel", facts.name, facts.total_memory, str(facts.driver_version), ("bf16", "fp16"))
    ]


def _gpu(
    device: str, index: int, vendor: str, model: str, memory: int, driver: str, low: tuple[Precision, ...]
) -> DeviceStatus:
    """A GPU as torch sees it. The processor is ``gpuN``: other engines may find the same one."""
    processor = Processor(
        f"gpu{index}", kind="gpu", memory_bytes=memory, vendor=vendor, model=model, memory_space=device
    )
    info = DeviceInfo(
        name=f"{device}/torch",
        engine="torch",
        version=version("torch"),
        processor=processor.name,
        vendor=vendor,
        supplier="PyTorch Foundation",
        kinds=("torch",),
        memory_space=device,
        capability="torch modules, eager, in " + ", ".join(("fp32", *low)),
        driver=driver,
        precisions=("fp32", *low),
    )
    return DeviceStatus(info.name, True, info, processor)


def open_device(info: DeviceInfo) -> Device:
    import torch

    if info.memory_space == "host":
        return TorchDevice(info, torch.device("cpu"), HOST)
    # TF32 rounds products to 10 bits: it is a precision of its own, not fp32
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    device = _device_of(info.memory_space)
    return TorchDevice(info, device, TorchMemory(info.memory_space, device))


def _device_of(space: str) -> torch.device:
    """Torch's device of a memory space: ``cuda1`` is ``cuda:1``, ``mps`` is ``mps:0``."""
    import torch

    kind = space.rstrip("0123456789")
    return torch.device(kind, int(space[len(kind) :] or 0))


class TorchMemory:
    """A GPU's memory: tensors on that device. Values that are no arrays stay as they are."""

    def __init__(self, space: str, device: torch.device) -> None:
        self.space = space
        self._device = device

    def put(self, value: Any) -> Any:
        return as_tensor(value).to(self._device) if hasattr(value, "__array_interface__") else value

    def get(self, value: Any) -> Any:
        return array_of(value) if hasattr(value, "detach") else value


class TorchDevice:
    """Runs a module eagerly. On the CPU the module itself is used in fp32, elsewhere a copy of it.

    Calls do not overlap: a module may keep state in ``forward``, and torch's thread count is one for the process.
    """

    def __init__(self, info: DeviceInfo, device: torch.device, memory: Memory) -> None:
        self.info = info
        self.memory = memory
        self._device = device

    def variants(self, op: Op, specs: Specs) -> Offers:
        if op.kind not in self.info.kinds:
            return Offers(refusals=(wrong_kind(self.info, op, "torch modules"),))
        counts = thread_counts(self.info.max_threads)
        return Offers(tuple(Variant(p, n, exact=p == "fp32") for p in self.info.precisions for n in counts))

    def compile(self, op: Op, variant: Variant) -> DirectExecutable | AsynchronousExecutable:
        import torch

        if not isinstance(op, TorchOp):
            raise refuse(self.info.name, op, DeviceError("it runs torch modules only"))
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[variant.precision]
        on_host = self._device.type == "cpu"
        try:
            module = op.module
            if dtype != torch.float32 or not on_host:
                module = copy.deepcopy(module).to(self._device)
                module = module.to(dtype) if dtype != torch.float32 else module
            call = _Call(module, op, dtype, variant.threads if on_host else None)
            tensors = [as_tensor(array).to(self._device) for array in op.example.values()]
            call(tensors)  # a module that fails in this precision fails here, not in the middle of a plan
        except Exception as error:  # whatever the user's forward raises; the cause is kept
            raise refuse(self.info.name, op, error) from error
        if not on_host:
            return AsynchronousExecutable(call, op.input_ports, self._device)

        def run(*inputs: Any) -> Outputs:
            return tuple(map(array_of, call([as_tensor(value) for value in op.arrays(inputs)])))

        return DirectExecutable(run)


@dataclass(frozen=True, slots=True)
class _Call:
    """A module called with tensors on its device, in one precision; outputs come back in the reference's dtypes."""

    module: torch.nn.Module
    op: TorchOp
    dtype: torch.dtype
    threads: int | None

    def __call__(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        import torch

        # read before write: setting it takes a lock and, with some builds, rebuilds a pool
        if self.threads is not None and torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        low = self.dtype != torch.float32
        with torch.inference_mode():
            feeds = {
                name: tensor.to(self.dtype) if low and tensor.dtype == torch.float32 else tensor
                for name, tensor in zip(self.op.inputs, tensors, strict=True)
            }
            outputs = named_outputs(self.module(**feeds)).values()
            return [output.float() if low and output.dtype == self.dtype else output for output in outputs]


class AsynchronousExecutable:
    """A module on a GPU: a call is queued when ``start`` returns, and timed at ``wait``."""

    def __init__(self, call: TensorCall, ports: Sequence[Port], device: torch.device) -> None:
        self._call: TensorCall | None = call
        self._ports = ports
        self._device = device

    def start(self, inputs: Sequence[Any]) -> Pending:
        import torch

        if self._call is None:
            raise ClosedError("this executable is closed; compile the op again")
        tensors = [
            value
            if isinstance(value, torch.Tensor)  # a plain number has no memory space: it becomes a scalar here
            else as_tensor(np.asarray(value, port.dtype)).to(self._device)
            for port, value in zip(self._ports, inputs, strict=True)
        ]
        return _Queued(tuple(self._call(tensors)), self._device)

    def close(self) -> None:
        self._call = None


@dataclass(frozen=True, slots=True)
class _Queued:
    """A run that the GPU has in its queue."""

    outputs: Outputs
    device: torch.device
    token: str | None = None

    def wait(self, timeout_s: float | None = None) -> Outputs:
        import torch

        # the queue of one device is in order: once it is empty this run is over
        getattr(torch, self.device.type).synchronize()
        return self.outputs

    def cancel(self) -> bool:
        return False
