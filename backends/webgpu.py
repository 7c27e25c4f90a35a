"""GPUs of every vendor through WebGPU: ONNX Runtime's plug-in provider (Vulkan, Metal or Direct3D below it).

Its runs are asynchronous, it is not thread-safe, and it may crash when the interpreter ends while tensors are alive
on the device: it lives in a worker process of its own, and so does the question whether there is a GPU.

With ``ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER=1`` and a software Vulkan driver (``scripts/install_software_gpu.sh``) it
computes on the CPU, correctly and very slowly: for tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.backends.models import onnx_form, refusal
from hetero.backends.packages import missing, version
from hetero.device import (
    Device,
    DeviceInfo,
    DeviceStatus,
    Memory,
    Offers,
    Pending,
    Variant,
    refuse,
)
from hetero.errors import ClosedError, DeviceError
from hetero.files import cache_directory, write_atomically
from hetero.machine import Processor
from hetero.ops.base import Op, Outputs
from hetero.values import Specs, digest_of

if TYPE_CHECKING:
    import onnxruntime

    from hetero.ops.onnx import OnnxOp

NAME = "gpu0/webgpu"
SPACE = "webgpu0"
SOFTWARE = "ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER"
PROBE_SECONDS = 60
"""A driver that has not answered by then is broken."""

_VENDORS = {
    0x10DE: "NVIDIA",
    0x1002: "AMD",
    0x8086: "Intel",
    0x106B: "Apple",
    0x13B5: "Arm",
    0x5143: "Qualcomm",
}

_PROBE = """
import json, os, numpy, onnxruntime, onnxruntime_ep_webgpu as plugin
onnxruntime.register_execution_provider_library("webgpu", plugin.get_library_path())
found = [d for d in onnxruntime.get_ep_devices() if d.ep_name in plugin.get_ep_names()]
answer = {}
if found:
    onnxruntime.OrtValue.ortvalue_from_numpy(numpy.ones(1, numpy.float32), "gpu", 0).numpy()
    device = found[0].device
    answer = {"type": device.type.name, "vendor_id": device.vendor_id, "device_id": device.device_id}
print("\\n" + json.dumps(answer), flush=True)
os._exit(0)
"""
"""Asked in a process of its own: finds the adapter and moves one number there and back."""


def probe(cpu: Processor) -> Sequence[DeviceStatus]:
    for package in ("onnxruntime", "onnxruntime_ep_webgpu"):
        if status := missing(NAME, package, "gpu"):
            return [status]
    if not _may_have_gpu():
        return [
            DeviceStatus(
                NAME,
                False,
                reason=f"no GPU is here (no /dev/dri/renderD*, no /dev/nvidia0), and {SOFTWARE}=1 is not set",
                install="for tests: scripts/install_software_gpu.sh",
            )
        ]
    answer = _adapter(_facts())
    if isinstance(answer, str):
        return [DeviceStatus(NAME, False, reason=answer, install="install the GPU's Vulkan driver")]
    hardware = answer["type"] != "CPU"
    vendor = _VENDORS.get(answer["vendor_id"], f"vendor {answer['vendor_id']:#06x}") if hardware else "Mesa"
    model = f"GPU {answer['device_id']:#06x}" if hardware else "software adapter, on the CPU"
    # The software adapter takes the CPU's cores. It is a processor of its own all the same, since all that it is
    # for is to stand for a GPU in tests.
    processor = Processor("gpu0", kind="gpu", vendor=vendor, model=model, memory_space=SPACE)
    info = DeviceInfo(
        name=NAME,
        engine="webgpu",
        version=f"{version('onnxruntime-ep-webgpu')}+ort{version('onnxruntime', 'onnxruntime-gpu')}",
        processor=processor.name,
        vendor=vendor,
        supplier="Microsoft",
        kinds=("onnx", "torch"),
        memory_space=SPACE,
        isolation="process",
        capability="ONNX models in fp32" if hardware else "ONNX models in fp32 (software adapter)",
        driver=model,
    )
    return [DeviceStatus(NAME, True, info, processor)]


def _may_have_gpu() -> bool:
    """Whether it is worth starting a process to ask: facts that cost nothing."""
    return (
        os.environ.get(SOFTWARE) == "1"
        or sys.platform in ("darwin", "win32")
        or Path("/dev/nvidia0").exists()
        or any(Path("/dev/dri").glob("renderD*"))
    )


def _facts() -> str:
    """Digest of what the answer depends on and that can be told without asking."""
    names = ("VK_ICD_FILENAMES", "VK_DRIVER_FILES", "LD_LIBRARY_PATH", SOFTWARE)
    return digest_of(
        version("onnxruntime-ep-webgpu"),
        version("onnxruntime", "onnxruntime-gpu"),
        [os.environ.get(name) for name in names],
        sorted(node.name for node in Path("/dev/dri").glob("renderD*")),
    )


@cache
def _adapter(facts: str) -> dict[str, Any] | str:
    """The adapter found, or the reason why there is none. Asked once a process; a yes is kept on disk."""
    path = cache_directory() / "webgpu-probe.json"
    try:
        kept = json.loads(path.read_text("utf-8"))
        if kept.get("facts") == facts:
            answer: dict[str, Any] = kept["answer"]
            return answer
    except (OSError, ValueError, AttributeError, KeyError):
        pass  # never asked, or not by this version: ask
    asked = _ask()
    if isinstance(asked, dict):  # a no is asked again: what is missing may be installed meanwhile
        write_atomically(path, json.dumps({"facts": facts, "answer": asked}).encode())
    return asked


def _ask() -> dict[str, Any] | str:
    try:
        run = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"the GPU's driver did not answer within {PROBE_SECONDS} s"
    lines = run.stdout.strip().splitlines()
    if run.returncode != 0 or not lines:
        said = (run.stderr.strip().splitlines() or ["no message"])[-1]
        reason = said.rpartition("was false. ")[2]  # what follows the C++ condition that failed
        return f"asking for an adapter failed with status {run.returncode}: {reason}"
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer or "WebGPU finds no adapter on this machine"


def open_device(info: DeviceInfo) -> Device:
    return WebGpuDevice(info)


@cache
def _ep_device() -> Any:
    """The provider's device; a library can be registered once a process."""
    import onnxruntime
    import onnxruntime_ep_webgpu as plugin

    onnxruntime.set_default_logger_severity(4)
    onnxruntime.register_execution_provider_library("webgpu", plugin.get_library_path())
    names = plugin.get_ep_names()
    found = [device for device in onnxruntime.get_ep_devices() if device.ep_name in names]
    if not found:
        raise DeviceError(f"{NAME}: WebGPU finds no adapter in this process")
    return found[0]


class WebGpuMemory:
    """Tensors on the GPU. Plain values stay as they are: they become scalars when a model takes them."""

    space = SPACE

    def put(self, value: Any) -> Any:
        return _on_device(value) if isinstance(value, np.ndarray) else value

    def get(self, value: Any) -> Any:
        return value.numpy() if hasattr(value, "device_name") else value


def _on_device(array: np.ndarray[Any, Any]) -> onnxruntime.OrtValue:
    import onnxruntime

    return onnxruntime.OrtValue.ortvalue_from_numpy(np.asarray(array, order="C"), "gpu", 0)


class WebGpuDevice:
    """One session an op, all its nodes on the GPU or none: nothing falls back to the CPU in silence.

    Its variant is not called exact: shader compilers may use fast math, so its error is measured first.
    """

    def __init__(self, info: DeviceInfo) -> None:
        self.info = info
        _ep_device()
        self.memory: Memory = WebGpuMemory()

    def variants(self, op: Op, specs: Specs) -> Offers:
        if refused := refusal(self.info, op):
            return Offers(refusals=(refused,))
        return Offers((Variant("fp32", exact=False),))

    def compile(self, op: Op, variant: Variant) -> WebGpuExecutable:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        options.add_provider_for_devices([_ep_device()], {})
        try:
            model = onnx_form(op)
            session = onnxruntime.InferenceSession(model.file.source, options)
        except Exception as error:  # the engine's errors share no base class but this one; the cause is kept
            if "assigned to the default CPU EP" in str(error):
                reason = DeviceError("some of its nodes have no WebGPU kernel and would run on the CPU")
                raise refuse(self.info.name, op, reason) from error
            raise refuse(self.info.name, op, error) from error
        return WebGpuExecutable(session, model)


class WebGpuExecutable:
    """A session whose inputs and outputs are bound to the device: its outputs feed the next without a host copy."""

    def __init__(self, session: onnxruntime.InferenceSession, op: OnnxOp) -> None:
        self._session: onnxruntime.InferenceSession | None = session
        self._op = op
        self._fence = _on_device(np.zeros(1, np.float32))

    def start(self, inputs: Sequence[Any]) -> Pending:
        if self._session is None:
            raise ClosedError("this executable is closed; compile the op again")
        binding = self._session.io_binding()
        for port, value in zip(self._op.input_ports, inputs, strict=True):
            tensor = value if hasattr(value, "device_name") else _on_device(np.asarray(value, port.dtype))
            binding.bind_ortvalue_input(port.name, tensor)
        for name in self._op.outputs:
            binding.bind_output(name, "gpu", 0)
        self._session.run_with_iobinding(binding)
        return _Submitted(tuple(binding.get_outputs()), self._fence)

    def close(self) -> None:
        self._session = None


@dataclass(frozen=True, slots=True)
class _Submitted:
    """A run in the GPU's queue. The provider's own synchronisation returns at once, so a number is read back: the
    queue is in order, and it arrives when all before it is done."""

    outputs: Outputs
    fence: onnxruntime.OrtValue
    token: str | None = None

    def wait(self, timeout_s: float | None = None) -> Outputs:
        self.fence.numpy()
        return self.outputs

    def cancel(self) -> bool:
        return False
