"""What decides the outputs of a torch module, as plain values for a content hash.

Too little here would make two different modules one (a profile, and worse an exported model, of the wrong one); too
much would make one module different in each process. So: weights, structure, code, and what else a module keeps.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["content_of"]

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def content_of(module: torch.nn.Module) -> list[Any]:
    """Weights by name, ``repr``, and of each submodule its class, its code and its own attributes."""
    from hetero.ops.torch import array_of

    weights = {name: array_of(tensor) for name, tensor in module.state_dict().items()}
    parts = {name: _part(part) for name, part in module.named_modules()}
    return [repr(module), weights, parts]


def _part(part: torch.nn.Module) -> list[Any]:
    """What one submodule adds to its registered tensors: ``self.scale = 2`` is in no state dict and no ``repr``."""
    own = {key: _plain(value) for key, value in sorted(vars(part).items()) if not key.startswith("_")}
    hooks = [*part._forward_pre_hooks.values(), *part._forward_hooks.values()]
    return [type(part).__qualname__, _code(type(part).forward), own, [_plain(hook) for hook in hooks]]


def _plain(value: Any) -> Any:
    """A value that hashes the same in every process; objects count by their ``repr`` without addresses."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.ndarray):
        return value
    if isinstance(value, list | tuple):
        return [type(value).__name__, *map(_plain, value)]
    if isinstance(
        value, set | frozenset
    ):  # strings are hashed differently in each process, and so are sets ordered
        return [type(value).__name__, *sorted(repr(_plain(item)) for item in value)]
    if isinstance(value, Mapping):
        return [(repr(_plain(key)), _plain(item)) for key, item in value.items()]
    if callable(value) and hasattr(value, "__code__"):
        return [value.__qualname__, _code(value)]
    if hasattr(value, "detach"):
        from hetero.ops.torch import array_of

        return array_of(value)
    return _ADDRESS.sub("", repr(value))


def _code(function: Callable[..., Any]) -> Any:
    """Bytecode, names and constants of a function and of those inside it; None where it has none (compiled code)."""
    code = getattr(function, "__code__", None)
    return _code_object(code) if code is not None else None


def _code_object(code: types.CodeType) -> list[Any]:
    constants = [
        _code_object(constant) if isinstance(constant, types.CodeType) else _plain(constant)
        for constant in code.co_consts
    ]
    return [code.co_code, list(code.co_names), constants]
