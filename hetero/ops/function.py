"""A Python function as an operation."""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

from hetero.errors import ArgumentError, NodeError
from hetero.ops.base import Effects, Op, Outputs, Run
from hetero.values import Specs, digest_of

__all__ = ["FunctionOp"]


class FunctionOp(Op):
    """One Python function.

    The number of outputs is taken from a return annotation ``-> tuple[A, B]`` or given as ``outputs``; anything
    else is one output. The function may live anywhere (a notebook, a closure, standard input): its content hash is
    taken from its bytecode, never from a source file.

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
        self.name = name or getattr(function, "__name__", type(function).__name__).replace(
            "<lambda>", "lambda"
        )
        parameters = inspect.signature(function).parameters.values()
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
        if arity < 1:
            raise ArgumentError(f"node {self.name!r}: outputs={outputs}; a node has at least one output")
        self.outputs = ("result",) if arity == 1 else tuple(f"result{i}" for i in range(arity))
        self.effects = effects

    @property
    def defaults(self) -> Mapping[str, object]:
        return MappingProxyType(self._defaults)

    @cached_property
    def digest(self) -> str:
        return digest_of("function", self.inputs, len(self.outputs), list(_content(self.function, set())))

    def check(self, node: str, specs: Specs) -> None:
        """A Python function declares nothing that could be checked before it runs."""

    def load(self) -> Run:
        function = self._positional()
        if len(self.outputs) == 1:
            return lambda *inputs: (function(*inputs),)
        return lambda *inputs: self._several(function(*inputs))

    def _positional(self) -> Callable[..., Any]:
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


def _annotated_arity(function: Callable[..., Any]) -> int:
    """2 for ``-> tuple[A, B]``, also where the annotation is a string; 1 for everything else."""
    annotation = getattr(function, "__annotations__", {}).get("return")
    if isinstance(annotation, str):
        return _written_arity(annotation)
    if getattr(annotation, "__origin__", None) is tuple:
        items = annotation.__args__
        return len(items) if items and items[-1] is not Ellipsis else 1
    return 1


def _written_arity(text: str) -> int:
    # Parsed, not evaluated: under `from __future__ import annotations` the names in it need not exist at run time.
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return 1
    if not isinstance(tree, ast.Subscript) or ast.unparse(tree.value).split(".")[-1] not in (
        "tuple",
        "Tuple",
    ):
        return 1
    items = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
    return 1 if any(isinstance(i, ast.Constant) and i.value is Ellipsis for i in items) else len(items)


def _content(function: Any, seen: set[int]) -> Iterator[object]:
    """What decides the result of a function: bytecode, constants, defaults, closure, and the functions and plain values
    among the globals that it names, followed as far as they are written in Python."""
    function = inspect.unwrap(function) if callable(function) else function
    if isinstance(function, types.MethodType):
        yield from _content(function.__func__, seen)
        yield _stable(function.__self__, seen)
        return
    if not isinstance(function, types.FunctionType):
        yield _stable(function, seen)
        return
    if id(function) in seen:
        yield function.__qualname__
        return
    seen.add(id(function))
    yield from _code(function.__code__)
    yield [_stable(value, seen) for value in function.__defaults__ or ()]
    yield [(key, _stable(value, seen)) for key, value in (function.__kwdefaults__ or {}).items()]
    for cell in function.__closure__ or ():
        try:
            yield _stable(cell.cell_contents, seen)
        except ValueError:  # a cell that is still empty: the function refers to a name not bound yet
            yield "empty cell"
    for name in sorted(_global_names(function.__code__)):
        if name in function.__globals__:
            yield (name, _stable(function.__globals__[name], seen))


def _code(code: types.CodeType) -> Iterator[object]:
    yield code.co_code
    yield code.co_names
    yield code.co_varnames
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield list(_code(constant))
        else:
            yield repr(constant)


def _global_names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _global_names(constant)
    return names


def _stable(value: Any, seen: set[int]) -> object:
    """A value as something whose hash is the same in another process."""
    if isinstance(value, types.FunctionType | types.MethodType):
        return list(_content(value, seen))
    if isinstance(value, types.ModuleType | type | types.BuiltinFunctionType):
        return getattr(value, "__qualname__", getattr(value, "__name__", repr(type(value))))
    if (
        value is None
        or isinstance(value, str | bytes | int | float | complex)
        or hasattr(value, "__array_interface__")
    ):
        return value
    if isinstance(value, list | tuple):
        return [_stable(item, seen) for item in value]
    if isinstance(value, dict):
        return [(str(key), _stable(item, seen)) for key, item in value.items()]
    if isinstance(value, set | frozenset):
        return sorted(repr(item) for item in value)
    digest = getattr(value, "digest", None)  # a node used as a plain function inside another one
    if isinstance(digest, str):
        return digest
    # Other objects (a tokenizer, an open model) have no hash that is both cheap and stable: their type stands for them.
    return f"{type(value).__module__}.{type(value).__qualname__}"
