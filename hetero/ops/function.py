"""A Python function as an operation."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, get_args, get_origin

import numpy as np

from hetero.errors import ArgumentError, NodeError
from hetero.ops.base import Effects, Op, Outputs, Run
from hetero.ops.code import content
from hetero.values import Specs, digest_of

__all__ = ["FunctionOp"]


class FunctionOp(Op):
    """One Python function.

    The number of outputs is taken from a return annotation ``-> tuple[A, B]`` or given as ``outputs``; anything
    else is one output. The value of a generator is the list of what it yields. The function may live anywhere (a
    notebook, a closure, standard input): its content hash is taken from its bytecode, never from a source file.

    Raises:
        ArgumentError: the function takes ``*args`` or ``**kwargs``, whose number a graph cannot know.

    >>> def divide(a, b=2):
    ...     return a / b
    >>> FunctionOp(divide).load()(3, 2)
    (1.5,)
    """

    kind = "function"

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        outputs: int | None = None,
        effects: Effects = "pure",
    ) -> None:
        self.function = function
        self.generates = inspect.isgeneratorfunction(function)
        self.name = name or getattr(function, "__name__", type(function).__name__).replace(
            "<lambda>", "lambda"
        )
        parameters = _parameters(self.name, function)
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise ArgumentError(
                    f"node {self.name!r}: parameter {parameter} takes any number of values, but a node's inputs are "
                    "fixed when the graph is traced; take a list or a dict instead"
                )
        self.inputs = tuple(parameter.name for parameter in parameters)
        self._keyword_only = tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
        self._defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        arity = outputs if outputs is not None else _annotated_arity(function)
        if not isinstance(arity, int) or isinstance(arity, bool) or arity < 1:
            raise ArgumentError(f"node {self.name!r}: outputs={outputs!r}; a node has at least one output")
        if self.generates and arity != 1:
            raise ArgumentError(
                f"node {self.name!r}: outputs={arity}; a generator has one output, the list of what it yields"
            )
        self.outputs = ("result",) if arity == 1 else tuple(f"result{i}" for i in range(arity))
        self.effects = effects

    @property
    def defaults(self) -> Mapping[str, object]:
        return MappingProxyType(self._defaults)

    @cached_property
    def digest(self) -> str:
        return digest_of("function", self.inputs, len(self.outputs), content(self.function))

    def check(self, node: str, specs: Specs) -> None:
        """A Python function declares nothing that could be checked before it runs."""

    def load(self) -> Run:
        function = self.positional()
        if self.generates:
            return lambda *inputs: (list(function(*inputs)),)
        if len(self.outputs) == 1:
            return lambda *inputs: (function(*inputs),)
        return lambda *inputs: self._several(function(*inputs))

    def positional(self) -> Callable[..., Any]:
        """The function, callable with all of its parameters by position."""
        if not self._keyword_only:
            return self.function
        function, split, names = self.function, len(self.inputs) - len(self._keyword_only), self._keyword_only
        return lambda *inputs: function(*inputs[:split], **dict(zip(names, inputs[split:], strict=True)))

    def _several(self, result: Any) -> Outputs:
        if not isinstance(result, tuple | list) or len(result) != len(self.outputs):
            found = f"{len(result)} values" if isinstance(result, tuple | list) else type(result).__name__
            raise NodeError(self.name, f"returned {found}, but it declares {len(self.outputs)} outputs")
        return tuple(result)


def _parameters(name: str, function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # many built-in functions do not say
        raise ArgumentError(
            f"node {name!r}: the parameters of this built-in function cannot be found out; wrap it in your own `def`"
        ) from None
    if isinstance(function, np.ufunc):  # beside its inputs it has options that exclude each other
        return [p for p in parameters if p.kind is p.POSITIONAL_ONLY]
    return parameters


def _annotated_arity(function: Callable[..., Any]) -> int:
    """2 for ``-> tuple[A, B]``, also where the annotation is a string; 1 for everything else."""
    annotation = getattr(function, "__annotations__", {}).get("return")
    if isinstance(annotation, str):
        return _written_arity(annotation)
    if get_origin(annotation) is tuple:
        items = get_args(annotation)
        return len(items) if items and items[-1] is not Ellipsis else 1
    return 1


def _written_arity(text: str) -> int:
    # Parsed, not evaluated: under `from __future__ import annotations` the names in it need not exist at run time.
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return 1
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):  # quoted, under that import too
        return _written_arity(tree.value)
    if not isinstance(tree, ast.Subscript) or ast.unparse(tree.value).split(".")[-1] not in (
        "tuple",
        "Tuple",
    ):
        return 1
    items = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
    return 1 if any(isinstance(i, ast.Constant) and i.value is Ellipsis for i in items) else len(items)
