"""Torch's devices: threads, precision, and what is said where there is no GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hetero.backends import torch as backend
from hetero.device import Device, Variant
from hetero.errors import DeviceError
from hetero.machine import Processor
from hetero.ops.torch import TorchOp

X = np.random.default_rng(0).standard_normal((3, 8), np.float32)


class Picky(torch.nn.Module):
    """Computes in fp32 only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.dtype == torch.float32, f"found {x.dtype}"
        return x + 1


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
