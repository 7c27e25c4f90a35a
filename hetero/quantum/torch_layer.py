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

    Where a gradient is needed, values and derivatives are computed in one batch in the forward pass.
    """
    flat = angles.reshape(-1, angles.shape[-1])
    found: torch.Tensor = _Expectations.apply(flat, circuit)  # type: ignore[no-untyped-call]
    return found.reshape(*angles.shape[:-1], found.shape[-1])


class _Expectations(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, angles: torch.Tensor, circuit: Differentiable) -> torch.Tensor:
        rows = angles.detach().cpu().double().numpy()
        if not angles.requires_grad:
            return torch.as_tensor(circuit.values(rows)).to(angles)
        values, jacobian = circuit.values_and_jacobian(rows)
        ctx.save_for_backward(torch.as_tensor(jacobian).to(angles))
        return torch.as_tensor(values).to(angles)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (jacobian,) = ctx.saved_tensors
        return torch.einsum("so,sop->sp", gradients[0], jacobian), None
