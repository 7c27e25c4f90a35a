"""Torch's devices: threads, precision, and what is said where there is no GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hetero.backends import torch as backend
from hetero.device import Device, Variant
from hetero.errors import ClosedError, DeviceError
from hetero.machine import Processor
from hetero.ops.torch import TorchOp

X = np.random.default_rng(0).standard_normal((3, 8), np.float32)


class Picky(torch.nn.Module):
    """Computes in fp32 only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.dtype == torch.float32, f"found {x.dtype}"
        return x + 1


class Scaling(torch.nn.Module):
    def forward(self, x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        return x * factor


def device(**facts: object) -> Device:
    info = backend.probe(Processor("cpu", cores=2, **facts))[0].info  # type: ignore[arg-type]
    assert info is not None
    return backend.open_device(info)


def test_each_variant_runs_on_its_threads() -> None:
    """Executables of different thread counts take turns, each on its own count."""
    seen: list[int] = []

    class Counting(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(torch.get_num_threads())
            return x

    op = TorchOp.from_module(Counting(), X)
    before = torch.get_num_threads()
    try:
        runs = [device().compile(op, Variant(threads=threads)) for threads in (1, 2)]
        seen.clear()
        for run in (*runs, *runs):
            run.start([X]).wait()
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 2, 1, 2]


def test_bf16_comes_back_as_float32() -> None:
    """A low-precision variant is offered where the CPU has it, is not exact, and keeps the outputs' dtype."""
    cpu = device(features=("avx512_bf16",))
    op = TorchOp.from_module(torch.nn.Linear(8, 4), X)
    variant = next(v for v in cpu.variants(op, ()).variants if v.precision == "bf16")
    assert not variant.exact
    (y,) = cpu.compile(op, variant).start([X]).wait()
    (right,) = op.load()(X)
    assert y.dtype == np.float32
    assert 0 < np.abs(y - right).max() < 0.05
    assert {v.precision for v in device().variants(op, ()).variants} == {"fp32"}


def test_a_module_that_does_not_take_a_precision() -> None:
    """It is refused when it is compiled, not in the middle of a plan."""
    with pytest.raises(DeviceError, match=r"cpu/torch cannot compile torch 'picky'.*found torch\.bfloat16"):
        device().compile(TorchOp.from_module(Picky(), X), Variant("bf16", exact=False))


def test_missing_gpus_say_why() -> None:
    """Every family of GPU is listed with the reason why it is not there."""
    statuses = {status.name: status for status in backend.probe(Processor("cpu"))}
    if not Path("/dev/nvidia0").exists():
        assert "no NVIDIA GPU" in statuses["cuda0/torch"].reason
    assert all(status.available or status.reason for status in statuses.values())


def test_a_build_of_torch_without_gpu_support(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a GPU and torch is a build for the CPU, the status says so and what to install."""
    monkeypatch.setattr(backend.Path, "exists", lambda _: True)
    monkeypatch.setattr(backend, "version", lambda _: "2.13.0+cpu")
    status = next(s for s in backend.probe(Processor("cpu")) if s.name == "cuda0/torch")
    assert "built for the CPU" in str(status)
    assert "pytorch.org" in str(status)


class TestGpu:
    """What a GPU's device does, on the CPU as a stand-in: torch's calls are the same."""

    STAND_IN = torch.device("cpu")

    def test_a_run_is_waited_for(self) -> None:
        """``start`` queues, ``wait`` gives tensors that stay in the memory space; a plain number is a scalar."""
        op = TorchOp.from_module(Scaling(), (X, np.float32(1)))
        memory = backend.TorchMemory("cuda0", self.STAND_IN)
        call = backend._Call(op.module, op, torch.float32, None)
        run = backend.AsynchronousExecutable(call, op.input_ports, self.STAND_IN)
        (y,) = run.start([memory.put(X), 3.0]).wait()
        assert isinstance(y, torch.Tensor)
        np.testing.assert_allclose(memory.get(y), X * 3)
        run.close()
        run.close()
        with pytest.raises(ClosedError):
            run.start([memory.put(X), 3.0])

    def test_its_processor_is_shared_with_other_engines(self) -> None:
        """A GPU is one processor for all engines, and each engine has a memory space of its own."""
        status = backend._gpu("cuda1", 1, "NVIDIA", "H100", 80 << 30, "12.8", ("bf16",))
        assert status.info is not None
        assert status.processor is not None
        assert (status.name, status.processor.name, status.info.memory_space) == (
            "cuda1/torch",
            "gpu1",
            "cuda1",
        )
        assert status.info.precisions == ("fp32", "bf16")

    @pytest.mark.parametrize(
        ("space", "device"), [("cuda0", "cuda:0"), ("cuda12", "cuda:12"), ("mps", "mps:0")]
    )
    def test_names_of_spaces(self, space: str, device: str) -> None:
        """A memory space names the device that torch means."""
        assert str(backend._device_of(space)) == device
