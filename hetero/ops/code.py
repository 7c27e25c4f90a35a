"""What decides the result of a Python function: its bytecode, and all that this refers to, as plain values to hash.

The same in every process, and independent of where the source stands. Functions, classes and modules of the user are
followed; those of other packages are named with their package's version. Objects are known by their state.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from hetero.user_code import is_library, is_ours
from hetero.values import digest_of, to_host

__all__ = ["content"]


_NO_CODE = {
    "__module__",
    "__dict__",
    "__weakref__",
    "__doc__",
    "__annotations__",
    "__slotnames__",
    "__firstlineno__",
}
"""What a class has beside the user's code; ``__slotnames__`` appears when an object of it is first copied."""


def content(function: Any) -> list[object]:
    """Plain values whose hash changes when what the function computes may have changed."""
    return list(_Content(_package(inspect.unwrap(function))).function(function))


class _Content:
    """Looks at everything once: code may be recursive, and objects may refer to each other."""

    def __init__(self, own_package: str) -> None:
        self._own_package = own_package
        # By identity, with the objects themselves: an id is used again once its object is gone.
        self._known: dict[int, tuple[object, str]] = {}

    def function(self, function: Any) -> Iterator[object]:
        """A callable's own content, also where it comes from a library: it is what the node is."""
        function = inspect.unwrap(function)
        if isinstance(function, types.MethodType):
            yield from self.function(function.__func__)
            yield self.value(function.__self__)
        elif isinstance(function, types.FunctionType):
            yield from self._function(function)
        else:
            yield self.value(function)

    def _function(self, function: types.FunctionType) -> Iterator[object]:
        yield from _code(function.__code__)
        yield [self.value(value) for value in function.__defaults__ or ()]
        yield [(key, self.value(value)) for key, value in (function.__kwdefaults__ or {}).items()]
        for cell in function.__closure__ or ():
            try:
                yield self.value(cell.cell_contents)
            except ValueError:  # a cell that is still empty: the function refers to a name not bound yet
                yield "empty cell"
        names = sorted(_names(function.__code__))
        for name in names:
            if name in function.__globals__:
                found = function.__globals__[name]
                yield (name, self.value(found))
                if isinstance(found, types.ModuleType) and not self._from_library(found):
                    yield [(n, self.value(getattr(found, n))) for n in names if hasattr(found, n)]

    def value(self, value: Any) -> object:
        """A value as something whose hash is the same in another process."""
        if value is None or isinstance(value, str | bytes | int | float | complex):
            return value
        if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
            return value
        if id(value) not in self._known:
            self._known[id(value)] = value, f"inside {type(value).__qualname__}"
            self._known[id(value)] = value, digest_of(*self._parts(value))
        return self._known[id(value)][1]

    def _parts(self, value: Any) -> Iterator[object]:
        yield type(value).__name__
        if isinstance(value, types.FunctionType | types.MethodType):
            if self._from_library(inspect.unwrap(value)):
                yield from _named(value)
            else:
                yield from self.function(value)
        elif isinstance(value, types.ModuleType):
            yield from _named(value)
        elif isinstance(value, type):
            yield from _named(value) if self._from_library(value) else self._class(value)
        elif isinstance(value, types.BuiltinFunctionType | np.ufunc):
            yield from _named(value)
            owner = getattr(value, "__self__", None)
            yield None if isinstance(owner, types.ModuleType) else self.value(owner)
        elif isinstance(value, dict):
            yield [(self.value(key), self.value(item)) for key, item in value.items()]
        elif isinstance(value, list | tuple):
            yield [self.value(item) for item in value]
        elif isinstance(value, set | frozenset):
            yield sorted(digest_of(self.value(item)) for item in value)
        elif isinstance(wrapped := getattr(value, "__wrapped__", None), types.FunctionType):
            yield self.value(wrapped)  # functools.cache and the like
        elif isinstance(digest := getattr(value, "digest", None), str):
            yield digest  # a node used as a plain function inside another one
        elif hasattr(value, "__dlpack__"):
            yield to_host(value)
        else:
            yield from self._object(value)

    def _class(self, made: type) -> Iterator[object]:
        yield made.__qualname__
        yield [self.value(base) for base in made.__bases__]
        for name, member in vars(made).items():
            if name in _NO_CODE:
                continue
            if isinstance(member, staticmethod | classmethod):
                member = member.__func__
            if isinstance(member, property):
                yield (name, [self.value(part) for part in (member.fget, member.fset, member.fdel)])
            elif not isinstance(member, types.GetSetDescriptorType | types.MemberDescriptorType):
                yield (name, self.value(member))

    def _object(self, value: Any) -> Iterator[object]:
        """An object by its class and state, asked for as pickling does; the bytes of pickle itself would not do, since
        sets come in another order in each process. An open model or a lock has no state: its class stands for it."""
        yield self.value(type(value))
        try:
            reduced = value.__reduce_ex__(4)
        except Exception:  # whatever a library raises that does not want to be copied
            reduced = getattr(value, "__dict__", None)
        if isinstance(reduced, tuple):
            made, arguments, *rest = reduced  # then a state, and iterators over items of a list and of a dict
            yield [self.value(part) for part in (made, arguments, *rest[:1])]
            yield [self.value(list(part)) for part in rest[1:3] if part is not None]
        else:
            yield self.value(reduced)

    def _from_library(self, value: Any) -> bool:
        """Whether it belongs to Python, hetero or an installed package, whose version stands for it. The package that
        the node itself is in is the user's, installed or not."""
        code = getattr(getattr(value, "__func__", value), "__code__", None)
        if isinstance(code, types.CodeType):
            file: str | None = code.co_filename
        else:
            module = value if isinstance(value, types.ModuleType) else sys.modules.get(_module_of(value))
            if module is None:
                return False
            file = getattr(module, "__file__", None)
            if file is None:
                return (
                    module.__name__ != "__main__"
                )  # built in; a notebook and standard input have no file either
        own = _package(value) == self._own_package and self._own_package != "hetero"
        return is_ours(file) or (is_library(file) and not own)


def _module_of(value: Any) -> str:
    name = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", "")
    return name if isinstance(name, str) else ""


def _package(value: Any) -> str:
    return _module_of(value).partition(".")[0]


def _code(code: types.CodeType) -> Iterator[object]:
    yield code.co_code
    yield code.co_exceptiontable
    yield [code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars]
    for constant in code.co_consts:
        yield _constant(constant)


def _constant(constant: object) -> object:
    if isinstance(constant, types.CodeType):
        return list(_code(constant))
    if isinstance(constant, tuple):
        return [_constant(item) for item in constant]
    if isinstance(constant, frozenset):  # `x in {"a", "b"}`: its order changes from process to process
        return sorted(map(repr, constant))
    return repr(constant)


def _names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def _named(value: Any) -> Iterator[str]:
    module = (
        value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None) or ""
    )
    yield module
    yield str(getattr(sys.modules.get(module.partition(".")[0]), "__version__", ""))
    yield getattr(value, "__qualname__", getattr(value, "__name__", ""))
