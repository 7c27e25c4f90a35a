"""A circuit as a function of torch tensors that torch differentiates: hybrid models train and serve.

Loaded on request (``from hetero.quantum.torch_layer import expectations``); needs torch.
"""

from __future__ import annotations

from typing import Any

import torch

from hetero.quantum.gradients import Differentiable

__all__ = ["expectations"]


def expectations(circuit: Differentiable, angles: torch.Tensor) -> torch.Tensor:
    """Expectation values (..., observables) of angles (..., parameters), differentiable once.

    The backward pass asks for one weighted gradient a set, so its cost does not grow with the observables.
    """
    flat = angles.reshape(-1, angles.shape[-1])
    found: torch.Tensor = _Expectations.apply(flat, circuit)  # type: ignore[no-untyped-call]
    return found.reshape(*angles.shape[:-1], found.shape[-1])


class _Expectations(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, angles: torch.Tensor, circuit: Differentiable) -> torch.Tensor:
        ctx.circuit = circuit
        ctx.save_for_backward(angles)
        return torch.as_tensor(circuit.values(_numbers(angles))).to(angles)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (angles,) = ctx.saved_tensors
        _, slopes = ctx.circuit.gradient(_numbers(angles), _numbers(gradients[0]))
        return torch.as_tensor(slopes).to(angles), None


def _numbers(tensor: torch.Tensor) -> Any:
    return tensor.detach().cpu().double().numpy()
