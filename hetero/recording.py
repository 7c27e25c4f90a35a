"""The graph that a pipeline's calls are recorded in while it is traced.

Which trace is being recorded is a context variable: a map or a branch inside a pipeline records a trace of its own,
whose outer trace is the one around it.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from hetero.errors import HeteroError, TracingError
from hetero.graph import INPUT, REQUIRED, Arg, Const, Graph, Input, Node, Pack, Ref
from hetero.ops.base import Op
from hetero.traced import Traced, holds_traced
from hetero.user_code import line_of, location


class Trace:
    """The graph that is being recorded. Maps and branches nest: ``outer`` is the trace around this one."""

    def __init__(self, name: str, outer: Trace | None) -> None:
        self.name = name
        self.outer = outer
        self.nodes: list[Node] = []
        self.inputs: list[Input] = []
        # By identity: comparing traced values is refused, as a dict would do on equal hashes.
        self._captured: dict[int, tuple[Traced, Ref]] = {}
        self._uses: dict[str, int] = {}
        self._names: set[str] = set()

    def parameter(self, name: str, default: Any = REQUIRED) -> Traced:
        self.inputs.append(Input(name, default))
        return Traced(self, Ref(INPUT, len(self.inputs) - 1), f"input {name!r} of {self.name!r}")

    def add(self, op: Op, args: tuple[Arg, ...], *, numbered: bool = False) -> Any:
        """Record one use of an op; returns its traced output, or a tuple of them."""
        name = self._free_name(op.name, numbered)
        self.nodes.append(Node(name, op, args, location()))
        if len(op.outputs) == 1:
            return Traced(self, Ref(name, 0), f"the value of node {name!r}")
        return together(
            op,
            [
                Traced(self, Ref(name, i), f"output {output!r} of node {name!r}")
                for i, output in enumerate(op.outputs)
            ],
        )

    def _free_name(self, base: str, numbered: bool) -> str:
        """``read``, ``read#2``, ...; past names that a user chose to look like that."""
        while True:
            count = self._uses[base] = self._uses.get(base, 0) + 1
            name = base if count == 1 and not numbered else f"{base}#{count}"
            if name not in self._names:
                self._names.add(name)
                return name

    def ref(self, value: Traced) -> Ref:
        """The reference of a traced value in this graph: a value of a graph around it becomes an input."""
        if value._trace is self:
            return value._ref
        if id(value) not in self._captured:
            around = self.outer
            while around is not None and around is not value._trace:
                around = around.outer
            if around is None:
                raise TracingError(
                    f"{location()}: {value._label} belongs to another trace; a traced value cannot be kept "
                    "and used after its pipeline, map or branch was traced: return it instead"
                )
            self._captured[id(value)] = (value, Ref(INPUT, len(self.inputs)))
            self.inputs.append(Input(f"closure{len(self._captured)}"))
        return self._captured[id(value)][1]

    @property
    def captured(self) -> list[Traced]:
        """The values of graphs around this one that it uses, in the order of its closure inputs."""
        return [value for value, _ in self._captured.values()]

    def arg(self, value: Any) -> Arg:
        """A call's argument as a tree: what holds no traced value is one constant."""
        if isinstance(value, Traced):
            return self.ref(value)
        if not holds_traced(value):
            return Const(value)
        if type(value) is dict:
            return Pack("dict", tuple(self.arg(v) for v in value.values()), tuple(value))
        if type(value) is list or type(value) is tuple or isinstance(value, Several):
            return Pack("list" if isinstance(value, list) else "tuple", tuple(self.arg(v) for v in value))
        raise TracingError(
            f"{location()}: a {type(value).__name__} cannot hold values that exist only when the plan runs; pass them "
            f"in a list, tuple or dict, and make the {type(value).__name__} inside a @ht.node"
        )

    def graph(self, output: Any) -> Graph:
        result = self.arg(output)  # first: what it captures from around becomes one more input
        return Graph(self.name, tuple(self.inputs), tuple(self.nodes), result)


class Several(tuple[Any, ...]):
    """Outputs of one node, which are passed on as a plain tuple; a named tuple of the user's own is not."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:  # its type is made on the fly and cannot be found by name
        return tuple, (tuple(self),)


def together(op: Op, values: Sequence[Any]) -> tuple[Any, ...]:
    """Several outputs as a named tuple in the op's order; a name that is no identifier is reached by its position."""
    return _outputs_type(op.kind, op.outputs)(*values)


@functools.cache
def _outputs_type(kind: str, names: tuple[str, ...]) -> Callable[..., tuple[Any, ...]]:
    named = namedtuple(kind, names, rename=True)  # type: ignore[misc]  # the names are the model's
    return type(kind, (named, Several), {"__slots__": ()})


current_trace: ContextVar[Trace | None] = ContextVar("hetero_trace", default=None)


def record(trace: Trace, body: Callable[[], Any]) -> Graph:
    """The graph of what the body calls, with what it returns as the output."""
    return trace.graph(record_calls(trace, body))


def record_calls(trace: Trace, body: Callable[[], Any]) -> Any:
    """What the body gives while its calls are recorded in this trace."""
    token = current_trace.set(trace)
    try:
        return body()
    except HeteroError:
        raise
    except RecursionError as error:
        raise TracingError(
            f"pipeline {trace.name!r} calls itself without end; a pipeline is traced whole, so recursion over a value "
            "that exists only when the plan runs has to be inside a @ht.node"
        ) from error
    except (TypeError, AttributeError) as error:
        if "Traced" not in str(error):
            raise
        # Code that asks no value's leave: json, `%d`, `with`, str.join, os.path and the like.
        raise TracingError(
            f"{line_of(error.__traceback__)}: a value that exists only when the plan runs was used while the pipeline "
            f"is traced ({error}); do that inside a @ht.node"
        ) from error
    finally:
        current_trace.reset(token)
