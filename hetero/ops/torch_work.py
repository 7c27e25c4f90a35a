"""How much work a torch module is on given input shapes: FLOPs and bytes, counted without computing.

The module runs on fake tensors, which have shapes and no data. Products and convolutions are counted by torch's own
counter; bytes are what each operator would read and write without any cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hetero.ops.base import Work
from hetero.values import TensorSpec

if TYPE_CHECKING:
    import torch

__all__ = ["work_of"]


def work_of(module: torch.nn.Module, inputs: Mapping[str, TensorSpec]) -> Work | None:
    """Work of one call; None where the module looks at its data, or uses what fake tensors do not support."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils.flop_counter import FlopCounterMode

    dtypes = {name: torch.from_numpy(np.zeros((), spec.dtype)).dtype for name, spec in inputs.items()}
    flops, traffic = FlopCounterMode(display=False), _traffic()
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad(), flops, traffic:
            module(**{name: torch.empty(spec.shape, dtype=dtypes[name]) for name, spec in inputs.items()})
    except Exception:  # whatever the user's forward or a fake kernel raises means the same: it cannot be told
        return None
    products = float(flops.get_total_flops())
    return Work(products, traffic.nbytes, {"product_flops": products, "nodes": float(traffic.calls)})


def _traffic() -> Any:
    """A mode that sums the bytes of the operators called inside it; made here, since torch is loaded late."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    aten = torch.ops.aten
    lookups = {aten.embedding.default, aten.index.Tensor, aten.index_select.default, aten.gather.default}

    class Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's base says nothing
        nbytes = 0.0
        calls = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            if not getattr(func, "is_view", False):
                # a lookup reads what it writes, not the table it takes it from
                touched = (result, result) if func in lookups else (args, kwargs, result)
                tensors = [leaf for leaf in tree_leaves(touched) if isinstance(leaf, torch.Tensor)]
                self.nbytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
                self.calls += 1
            return result

    return Traffic()  # type: ignore[no-untyped-call]
