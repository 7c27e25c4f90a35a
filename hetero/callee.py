"""What a pipeline calls: an op that records itself while a pipeline is traced, and runs its reference otherwise."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any

from hetero.errors import ArgumentError, TracingError
from hetero.ops.base import Op
from hetero.ops.function import FunctionOp
from hetero.recording import current_trace, together
from hetero.traced import holds_traced
from hetero.user_code import location


class Callee:
    """An op that a pipeline can call; outside of tracing a call runs its reference."""

    def __init__(self, op: Op) -> None:
        if not isinstance(op.name, str) or not op.name or "/" in op.name:
            raise ArgumentError(
                f"name={op.name!r}: a node's name is a text without '/', which separates a map from what is inside it"
            )
        self.op = op
        self.__name__ = op.name

    @property
    def digest(self) -> str:
        return self.op.digest

    @functools.cached_property
    def _run(self) -> Callable[..., tuple[Any, ...]]:
        return self.op.load()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values = self._bind(args, kwargs)
        trace = current_trace.get()
        if trace is not None:
            return trace.add(self.op, tuple(trace.arg(value) for value in values))
        if any(holds_traced(value) for value in values):
            raise TracingError(
                f"{location()}: {self.op.name!r} was given a traced value outside of that value's pipeline, where it "
                "never has a value; call it inside the pipeline"
            )
        outputs = self._run(*values)
        return outputs[0] if len(outputs) == 1 else together(self.op, outputs)

    def __get__(self, instance: object, owner: type | None = None) -> Callee:
        """A function decorated inside a class is a method: reached through an object, it has its ``self``."""
        op = self.op
        if instance is None or not isinstance(op, FunctionOp) or not isinstance(op.function, FunctionType):
            return self
        method = op.function.__get__(instance, owner)
        return Callee(FunctionOp(method, name=op.name, outputs=len(op.outputs), effects=op.effects))

    def _bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        op = self.op
        signature = f"{op.name}({', '.join(op.inputs)})"
        if len(args) > len(op.inputs):
            raise ArgumentError(
                f"{location()}: {signature} takes {len(op.inputs)} argument{'s' * (len(op.inputs) != 1)}, "
                f"{len(args)} were given"
            )
        given = dict(zip(op.inputs, args, strict=False))
        for name, value in kwargs.items():
            if name not in op.inputs:
                raise ArgumentError(
                    f"{location()}: {signature} has no input {name!r}; it has: {', '.join(op.inputs) or 'none'}"
                )
            if name in given:
                raise ArgumentError(f"{location()}: {signature} was given {name!r} by position and by name")
            given[name] = value
        missing = [name for name in op.inputs if name not in given and name not in op.defaults]
        if missing:
            raise ArgumentError(f"{location()}: {signature} misses {', '.join(missing)}")
        return [given[name] if name in given else op.defaults[name] for name in op.inputs]

    def __repr__(self) -> str:
        return repr(self.op)
